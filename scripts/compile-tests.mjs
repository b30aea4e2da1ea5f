import { spawnSync } from 'node:child_process';
import { mkdirSync, copyFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Compiles src and test for a script that runs what is under test/. Returns its folder. */
export function compileTests(name) {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const out = `${root}.tmp/${name}`;
  mkdirSync(out, { recursive: true });
  copyFileSync(`${root}package.json`, `${out}/package.json`);
  const args = [`${root}node_modules/typescript/bin/tsc`, '-p', `${root}test/tsconfig.json`];
  const { stdout } = spawnSync(process.execPath, [...args, '--noEmit', 'false', '--outDir', out], {
    encoding: 'utf8',
  });
  if (stdout) console.error(stdout);
  return out;
}
