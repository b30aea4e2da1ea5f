import { relative } from 'node:path';
import ts from 'typescript';

/**
 * The named types that signatures of the exports reach, directly or through other types, and that are not exported
 * themselves: `Name (file), reached from Other`.
 * @param root folder of the checkout
 */
export function hiddenTypes(root: string): string[] {
  const path = ts.findConfigFile(root, (file) => ts.sys.fileExists(file), 'tsconfig.json')!;
  const { config } = ts.readConfigFile(path, (file) => ts.sys.readFile(file)) as { config: unknown };
  const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const program = ts.createProgram(fileNames, options);
  const checker = program.getTypeChecker();
  const aliased = (symbol: ts.Symbol): ts.Symbol =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const index = checker.getSymbolAtLocation(program.getSourceFile(`${root}/src/index.ts`)!)!;
  const exported = new Set(checker.getExportsOfModule(index).map(aliased));

  const hidden = new Map<ts.Symbol, string>();
  const seen = new Set<ts.Node>();
  const queue: (readonly [symbol: ts.Symbol, from: string])[] = [...exported].map((symbol) => [
    symbol,
    'index',
  ]);
  for (let next = queue.pop(); next; next = queue.pop()) {
    const [symbol, from] = next;
    for (const declaration of symbol.declarations ?? []) {
      const file = relative(root, declaration.getSourceFile().fileName);
      if (!file.startsWith('src') || ts.isTypeParameterDeclaration(declaration)) continue;
      if (isNamedType(declaration) && !exported.has(symbol))
        hidden.set(symbol, `${symbol.name} (${file}), reached from ${from}`);
      if (seen.has(declaration)) continue;
      seen.add(declaration);
      for (const name of namesIn(declaration)) {
        const found = checker.getSymbolAtLocation(name);
        if (found) queue.push([aliased(found), symbol.name]);
      }
    }
  }
  return [...hidden.values()].sort();
}

function isNamedType(node: ts.Node): boolean {
  return ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) || ts.isClassDeclaration(node);
}

/** The names of types in a declaration, without what stands in bodies and private members. */
function namesIn(declaration: ts.Node): ts.Node[] {
  const names: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) {
      node.typeParameters?.forEach(visit);
      for (const { type } of node.parameters) if (type) visit(type);
      if (node.type) visit(node.type);
      return;
    }
    if (ts.isPropertyDeclaration(node) && isPrivate(node)) return;
    if (ts.isTypeReferenceNode(node)) names.push(node.typeName);
    if (ts.isTypeQueryNode(node)) names.push(node.exprName);
    if (ts.isExpressionWithTypeArguments(node)) names.push(node.expression);
    ts.forEachChild(node, visit);
  };
  visit(declaration);
  return names;
}

function isPrivate({ modifiers }: ts.PropertyDeclaration): boolean {
  return modifiers?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword) ?? false;
}
