import type onnxProto from 'onnx-proto';

import type { ByteSource } from './bytes.js';
import { dataTypeFromNumber } from './data-type.js';
import { normalDomain } from './domain.js';
import type { ExternalReader } from './external.js';
import type { StringEntry, UnknownFields } from './message.js';
import { decodeTensor } from './decode-tensor.js';
import type {
  Attribute,
  AttributeValue,
  Dimension,
  FunctionBody,
  Graph,
  Model,
  Node,
  OpsetImport,
  ValueInfo,
  ValueType,
} from './model.js';
import { bigInteger, safeInteger } from './proto-integers.js';
import { extraFields } from './attribute-fields.js';
import type { SideTable } from './unknown-fields.js';
import { MalformedError } from './wire.js';

type Proto = typeof onnxProto.onnx;
type Message<K extends keyof Proto> = Proto[K] extends new () => infer M ? M : never;

/** Turns decoded messages into the representation of `model.ts`. */
export class Decoder {
  constructor(
    private readonly table: SideTable,
    private readonly file: ByteSource,
    private readonly external: ExternalReader | undefined,
  ) {}

  model(message: Message<'ModelProto'>): Model {
    if (!message.graph) throw new MalformedError('it has no graph');
    const opsetImports = message.opsetImport.map((entry) =>
      this.opsetImport(entry as Message<'OperatorSetIdProto'>),
    );
    const opsets = new Map<string, number>();
    for (const { domain, version } of opsetImports)
      opsets.set(normalDomain(domain), Math.max(version, opsets.get(normalDomain(domain)) ?? 0));
    return {
      irVersion: safeInteger(message.irVersion, 'ir_version'),
      opsets,
      opsetImports,
      producerName: message.producerName,
      producerVersion: message.producerVersion,
      domain: message.domain,
      modelVersion: bigInteger(message.modelVersion),
      docString: message.docString,
      metadata: message.metadataProps.map((entry) => this.stringEntry(entry)),
      graph: this.graph(message.graph as Message<'GraphProto'>),
      functions: message.functions.map((body) => this.functionBody(body as Message<'FunctionProto'>)),
      trainingInfo: message.trainingInfo.map((info) => this.encoded(info)),
      ...this.unknown(message),
    };
  }

  private graph(message: Message<'GraphProto'>): Graph {
    return {
      name: message.name,
      docString: message.docString,
      nodes: message.node.map((node) => this.node(node as Message<'NodeProto'>)),
      initializers: message.initializer.map((tensor) => this.tensor(tensor)),
      sparseInitializers: message.sparseInitializer.map((sparse) => ({
        name: sparse.values?.name ?? '',
        encoded: this.encoded(sparse),
      })),
      inputs: message.input.map((value) => this.valueInfo(value as Message<'ValueInfoProto'>)),
      outputs: message.output.map((value) => this.valueInfo(value as Message<'ValueInfoProto'>)),
      valueInfos: message.valueInfo.map((value) => this.valueInfo(value as Message<'ValueInfoProto'>)),
      quantizationAnnotations: message.quantizationAnnotation.map((annotation) => ({
        tensorName: annotation.tensorName ?? '',
        entries: (annotation.quantParameterTensorNames ?? []).map((entry) => this.stringEntry(entry)),
        ...this.unknown(annotation),
      })),
      ...this.unknown(message),
    };
  }

  private node(message: Message<'NodeProto'>): Node {
    const attributes = new Map<string, Attribute>();
    for (const entry of message.attribute) {
      const attribute = this.attribute(entry as Message<'AttributeProto'>);
      if (attributes.has(attribute.name))
        throw new MalformedError(`node '${message.name}' (${message.opType}) has '${attribute.name}' twice`);
      attributes.set(attribute.name, attribute);
    }
    return {
      name: message.name,
      opType: message.opType,
      ...domainOf(message),
      inputs: message.input,
      outputs: message.output,
      attributes,
      docString: message.docString,
      ...this.unknown(message),
    };
  }

  private attribute(message: Message<'AttributeProto'>): Attribute {
    const { name, docString, refAttrName: reference } = message;
    const value = this.attributeValue(message);
    // The encoded message of kind 'other' holds its unknown fields.
    if (value.type === 'other') return { name, docString, reference, ...value };
    return {
      ...{ name, docString, reference, ...value },
      ...this.unknown(message),
      ...extraFields(this.encoded(message), value),
    };
  }

  private attributeValue(message: Message<'AttributeProto'>): AttributeValue {
    switch (message.type as number) {
      case 1:
        return { type: 'float', value: message.f };
      case 2:
        return { type: 'int', value: bigInteger(message.i) };
      case 3:
        return { type: 'string', value: message.s.length > 0 ? message.s : new Uint8Array(0) };
      case 4:
        if (!message.t && message.refAttrName) break;
        return { type: 'tensor', value: this.tensor(required(message, message.t)) };
      case 5:
        if (!message.g && message.refAttrName) break;
        return { type: 'graph', value: this.graph(required(message, message.g) as Message<'GraphProto'>) };
      case 6:
        return { type: 'floats', value: message.floats };
      case 7:
        return { type: 'ints', value: message.ints.map(bigInteger) };
      case 8:
        return { type: 'strings', value: message.strings };
      case 9:
        return { type: 'tensors', value: message.tensors.map((tensor) => this.tensor(tensor)) };
      case 10:
        return {
          type: 'graphs',
          value: message.graphs.map((graph) => this.graph(graph as Message<'GraphProto'>)),
        };
    }
    return { type: 'other', value: this.encoded(message) };
  }

  private tensor(message: onnxProto.onnx.ITensorProto) {
    return decodeTensor(message as Message<'TensorProto'>, this.table, this.file, this.external, (entry) =>
      this.stringEntry(entry),
    );
  }

  private valueInfo(message: Message<'ValueInfoProto'>): ValueInfo {
    const type = message.type ? this.type(message.type as Message<'TypeProto'>) : undefined;
    return { name: message.name, docString: message.docString, type, ...this.unknown(message) };
  }

  private type(message: Message<'TypeProto'>): ValueType {
    const tensor = message.tensorType;
    if (!tensor) return { kind: 'other', encoded: this.encoded(message) };
    const { shape } = tensor;
    const tensorUnknown = this.table.unknown.get(tensor);
    const shapeUnknown = shape ? this.table.unknown.get(shape) : undefined;
    return {
      kind: 'tensor',
      dtype: dataTypeFromNumber(tensor.elemType ?? 0),
      shape: shape ? (shape.dim ?? []).map((dim) => this.dimension(dim)) : undefined,
      denotation: message.denotation,
      ...this.unknown(message),
      ...(tensorUnknown && { tensorUnknown }),
      ...(shapeUnknown && { shapeUnknown }),
    };
  }

  private dimension(message: onnxProto.onnx.TensorShapeProto.IDimension): Dimension {
    // Own properties: dim_value is a oneof, whose unset members read as defaults of the prototype.
    const value = Object.hasOwn(message, 'dimValue')
      ? safeInteger(message.dimValue, 'a dimension')
      : Object.hasOwn(message, 'dimParam')
        ? message.dimParam!
        : undefined;
    return { value, denotation: message.denotation ?? '', ...this.unknown(message) };
  }

  private functionBody(message: Message<'FunctionProto'>): FunctionBody {
    return {
      name: message.name,
      ...domainOf(message),
      inputs: message.input,
      outputs: message.output,
      attributes: message.attribute,
      nodes: message.node.map((node) => this.node(node as Message<'NodeProto'>)),
      opsetImports: message.opsetImport.map((entry) =>
        this.opsetImport(entry as Message<'OperatorSetIdProto'>),
      ),
      docString: message.docString,
      ...this.unknown(message),
    };
  }

  private opsetImport(message: Message<'OperatorSetIdProto'>): OpsetImport {
    const version = safeInteger(message.version, 'an opset version');
    return { domain: message.domain, version, ...this.unknown(message) };
  }

  private stringEntry(message: onnxProto.onnx.IStringStringEntryProto): StringEntry {
    return { key: message.key ?? '', value: message.value ?? '', ...this.unknown(message) };
  }

  private unknown(message: object): { readonly unknown?: UnknownFields } {
    const unknown = this.table.unknown.get(message);
    return unknown ? { unknown } : {};
  }

  private encoded(message: object): Uint8Array {
    return this.table.encoded.get(message)!;
  }
}

function domainOf({ domain }: { readonly domain: string }) {
  const normal = normalDomain(domain);
  return { domain: normal, ...(normal !== domain && { spelledDomain: domain }) };
}

function required<T>(message: Message<'AttributeProto'>, value: T | null | undefined): T {
  if (value === null || value === undefined)
    throw new MalformedError(`attribute '${message.name}' has no value of its type`);
  return value;
}
