import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { availableParallelism, cpus, homedir } from 'node:os';
import { join } from 'node:path';
import { writeAtomic } from './atomic-file.js';

/** What latencies depend on besides the operation. */
export interface LatencySetting {
  readonly provider: string;
  /** Name and version. */
  readonly runtime: string;
  readonly threads: number | undefined;
  /** Names of the GPUs, where one runs the model. */
  readonly gpu?: string | undefined;
}

/** Latencies of operations in milliseconds by key, kept in one file for each setting of this machine. */
export interface LatencyFile {
  readonly path: string;
  get(key: string): number | undefined;
  set(key: string, milliseconds: number): void;
  /** Writes what is new. A folder that can't be written is no error: the next run measures again. */
  flush(): Promise<void>;
}

/**
 * Opens the latencies of a setting; the processor and its number of threads are part of the name.
 * @param folder default `onnx-prune` in the user's cache (`XDG_CACHE_HOME`, else `~/.cache`)
 */
export async function openLatencyFile(
  { provider, runtime, threads, gpu }: LatencySetting,
  folder = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'onnx-prune'),
): Promise<LatencyFile> {
  const machine = {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    provider,
    runtime,
    threads: threads ?? 'default',
    ...(gpu !== undefined && { gpu }),
  };
  const name = createHash('sha256').update(JSON.stringify(machine)).digest('hex').slice(0, 16);
  const path = join(folder, `latency-${name}.json`);
  const times = await readTimes(path);
  let isNew = false;
  return {
    path,
    get: (key) => times.get(hash(key)),
    set: (key, milliseconds) => {
      times.set(hash(key), milliseconds);
      isNew = true;
    },
    flush: async () => {
      if (!isNew) return;
      isNew = false;
      // Another process may have added some meanwhile.
      const all = { ...Object.fromEntries(await readTimes(path)), ...Object.fromEntries(times) };
      const text = JSON.stringify({ version: 1, machine, milliseconds: all });
      try {
        await mkdir(folder, { recursive: true });
        await writeAtomic(path, new TextEncoder().encode(text));
      } catch {
        isNew = true;
      }
    },
  };
}

function hash(key: string): string {
  return createHash('sha256').update(key).digest('base64url').slice(0, 22);
}

/** What can be read of the file; a damaged one counts as empty. */
async function readTimes(path: string): Promise<Map<string, number>> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return new Map();
  }
  const times = (content as { milliseconds?: unknown } | null)?.milliseconds;
  if (typeof times !== 'object' || times === null) return new Map();
  const isTime = (entry: [string, unknown]): entry is [string, number] =>
    typeof entry[1] === 'number' && entry[1] >= 0;
  return new Map(Object.entries(times).filter(isTime));
}
