import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PruneError } from '../../errors.js';
import { writeAtomic } from '../../files/atomic-file.js';
import { toJsonText } from '../../report/json.js';
import { cellName, type Cell, type CellResult } from '../../sweep/cells.js';
import { isRecord } from '../json-file.js';

/** A sweep on disk: what it is of in `sweep.json`, and one file for each finished cell. */
export class SweepFolder {
  private constructor(private readonly path: string) {}

  /**
   * Makes a folder, or goes on with one of the same sweep.
   * @param identity what results depend on: model, options, data
   * @throws PruneError `invalid-option` for a folder of another sweep, `write`
   */
  static async open(path: string, identity: unknown): Promise<SweepFolder> {
    try {
      await mkdir(path, { recursive: true });
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
      throw new PruneError('write', `can't make folder '${path}' (${code}); name another one`, { cause });
    }
    const text = toJsonText(identity);
    const file = join(path, 'sweep.json');
    const before = await readFile(file, 'utf8').catch(() => undefined);
    if (before === undefined) await writeAtomic(file, new TextEncoder().encode(text));
    else if (before !== text)
      throw new PruneError(
        'invalid-option',
        `'${path}' holds a sweep of another model or with other options; name another folder`,
      );
    return new SweepFolder(path);
  }

  /** The result of a cell that is finished; a damaged file counts as none. */
  async read(cell: Cell): Promise<CellResult | undefined> {
    try {
      const content: unknown = JSON.parse(await readFile(this.fileOf(cell), 'utf8'));
      return isRecord(content) && 'cell' in content ? (content as unknown as CellResult) : undefined;
    } catch {
      return undefined;
    }
  }

  async write(result: CellResult): Promise<void> {
    await writeAtomic(this.fileOf(result.cell), new TextEncoder().encode(toJsonText(result)));
  }

  private fileOf(cell: Cell): string {
    return join(this.path, `cell-${cellName(cell)}.json`);
  }
}
