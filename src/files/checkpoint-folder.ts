import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PruneError } from '../errors.js';
import { writeAtomic } from './atomic-file.js';

/** Checkpoints that are kept: the last one, and the one before in case the last is damaged by what isn't ours. */
const keptCount = 2;

/** A file that claims to be larger is none of ours: it would have to be read whole. */
const maxBytes = 2 ** 34;

const pattern = /^checkpoint-(\d{1,9})\.bin$/;

/** A folder with the last checkpoints of one training, numbered; each file is whole or isn't there. */
export class CheckpointFolder {
  constructor(private readonly folder: string) {}

  /** @throws PruneError `write` */
  async save(bytes: Uint8Array): Promise<void> {
    await mkdir(this.folder, { recursive: true }).catch((cause: unknown) => {
      throw new PruneError('write', `can't make the folder '${this.folder}'; choose another path`, { cause });
    });
    const numbers = await this.numbers();
    const next = (numbers.at(-1) ?? 0) + 1;
    await writeAtomic(this.fileOf(next), bytes);
    for (const old of [...numbers, next].slice(0, -keptCount)) await rm(this.fileOf(old), { force: true });
  }

  /** The last one; undefined where there is none. @throws PruneError `invalid-file` */
  async load(): Promise<Uint8Array | undefined> {
    const last = (await this.numbers()).at(-1);
    if (last === undefined) return undefined;
    const path = this.fileOf(last);
    try {
      const { size } = await stat(path);
      if (size > maxBytes) throw new PruneError('invalid-file', `'${path}' is too large for a checkpoint; remove it`); // prettier-ignore
      return await readFile(path);
    } catch (cause) {
      if (cause instanceof PruneError) throw cause;
      throw new PruneError('invalid-file', `can't read checkpoint '${path}'; check that it is a readable file`, { cause }); // prettier-ignore
    }
  }

  private async numbers(): Promise<number[]> {
    const names = await readdir(this.folder).catch(() => []);
    return names.flatMap((name) => {
      const match = pattern.exec(name);
      return match ? [Number(match[1])] : [];
    }).sort((a, b) => a - b); // prettier-ignore
  }

  private fileOf(number: number): string {
    return join(this.folder, `checkpoint-${number}.bin`);
  }
}
