import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { exitCodeMeanings, exitCodes } from '../../src/cli/failure.js';
import { createProgram } from '../../src/cli/program.js';
import { root, run } from './run.js';

it('docs/cli.md is what --help prints', async () => {
  const program = createProgram();
  const section = (title: string, help: string): string =>
    `## ${title}\n\n\`\`\`text\n${help.trim()}\n\`\`\`\n`;
  const sections = [program, ...program.commands].map((command) => {
    const name = command === program ? 'prune' : `prune ${command.name()}`;
    command.configureHelp({ helpWidth: 100 });
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => 100 });
    command.outputHelp();
    return section(name, help);
  });
  const intro = '# Command line\n\nGenerated from `--help`; do not edit.\n';
  await expect([intro, ...sections].join('\n')).toMatchFileSnapshot(join(root, 'docs', 'cli.md'));
});

it('the exit codes of the README are those of the program', () => {
  // Formatters pad tables.
  const readme = readFileSync(join(root, 'README.md'), 'utf8').replaceAll(/ +/g, ' ');
  for (const [code, meaning] of exitCodeMeanings) expect(readme).toContain(`| ${code} | ${meaning} |`);
  const documented = exitCodeMeanings.map(([code]) => code);
  for (const code of Object.values(exitCodes)) expect(documented).toContain(code);
});

it('help and version go to stdout and succeed, no arguments is a usage error', async () => {
  const help = await run(['--help']);
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(help.stdout).toMatch(/^Usage: prune <model>/);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  expect(await run(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  const bare = await run([]);
  expect(bare).toMatchObject({ code: 2, stdout: '' });
  expect(bare.stderr).toMatch(/^Usage: prune/);
});

it('asking for help loads no native module', async () => {
  const main = pathToFileURL(join(root, 'dist', 'cli', 'main.js')).href;
  const script = `
    process.argv.splice(1, Infinity, 'prune', '--help');
    await import(${JSON.stringify(main)});
    const { sharedObjects } = process.report.getReport();
    process.stderr.write(JSON.stringify(sharedObjects.filter((name) => /onnxruntime|sharp/.test(name))));`;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [
    '--input-type=module',
    '-e',
    script,
  ]);
  expect(stdout).toMatch(/^Usage: prune/);
  expect(stderr).toBe('[]');
});
