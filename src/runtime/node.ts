import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { InferenceSession, Tensor } from 'onnxruntime-common';
import type * as Ort from 'onnxruntime-node';
import { PruneError } from '../errors.js';
import { aliased } from './aliases.js';
import { parseProfile } from './profile.js';
import { installHint } from './providers.js';
import type { Runtime, SessionOptions } from './runtime.js';

type OrtModule = typeof Ort;

/**
 * The adapter for onnxruntime-node. The native module is loaded on the first call (about 60 ms), not on import.
 * onnxruntime's own log is turned off: what goes wrong is thrown.
 * @throws PruneError `runtime` if there is no binary for this platform.
 */
export async function nodeRuntime(): Promise<Runtime> {
  let ort: OrtModule;
  try {
    ort = await import('onnxruntime-node');
  } catch (error) {
    throw new PruneError(
      'runtime',
      `onnxruntime-node can't be loaded on ${process.platform}/${process.arch}: ${firstLine(error)}; reinstall it with npm install onnxruntime-node`,
      { cause: error },
    );
  }
  // Only the first session of a process reads this; each session's own level is set in `load`.
  ort.env.logLevel = 'fatal';
  return new NodeRuntime(ort);
}

class NodeRuntime implements Runtime {
  readonly name = 'onnxruntime-node';
  readonly version: string;

  constructor(private readonly ort: OrtModule) {
    this.version = ort.env.versions.node ?? ort.env.versions.common;
  }

  async load(model: Uint8Array, options: SessionOptions = {}): Promise<InferenceSession> {
    const { provider = 'cpu', optimization = 'all', threads, profile } = options;
    try {
      const create = (bytes: Uint8Array): Promise<InferenceSession> =>
        this.ort.InferenceSession.create(bytes, {
          executionProviders: provider === 'cpu' ? ['cpu'] : [provider, 'cpu'],
          graphOptimizationLevel: optimization,
          logSeverityLevel: 4,
          ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
          ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
        });
      const session = await create(model);
      const other = aliased(model, [...session.inputNames, ...session.outputNames]);
      if (!other) return rewrapErrors(session);
      await session.release();
      return other.wrap(rewrapErrors(await create(other.bytes)));
    } catch (error) {
      const hint = provider === 'cpu' ? '' : `; ${installHint(provider)}`;
      throw new PruneError('runtime', `onnxruntime can't load the model: ${firstLine(error)}${hint}`, {
        cause: error,
      });
    }
  }

  tensor(type: Tensor.Type, data: Tensor.DataType, dims: readonly number[]): Tensor {
    return new this.ort.Tensor(type, data, dims);
  }

  async profile(
    model: Uint8Array,
    feeds: Readonly<Record<string, Tensor>>,
    options: SessionOptions = {},
    runs = 1,
  ) {
    const folder = await mkdtemp(join(tmpdir(), 'onnx-prune-profile-'));
    try {
      const session = await this.load(model, { ...options, profile: join(folder, 'profile') });
      try {
        for (let run = 0; run < runs; run++) await session.run(feeds);
        session.endProfiling();
      } finally {
        await session.release();
      }
      // onnxruntime appends a time stamp to the prefix and doesn't say which.
      const file = (await readdir(folder)).find((name) => name.startsWith('profile'));
      if (file === undefined) {
        throw new PruneError(
          'runtime',
          'onnxruntime wrote no profile; check that the temporary folder is writable',
        );
      }
      return parseProfile(await readFile(join(folder, file), 'utf8'));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

/** Makes `run` throw PruneErrors like everything else of the runtime. */
function rewrapErrors(session: InferenceSession): InferenceSession {
  const run = session.run.bind(session) as (...args: unknown[]) => ReturnType<InferenceSession['run']>;
  session.run = async (...args: unknown[]) => {
    try {
      return await run(...args);
    } catch (error) {
      throw new PruneError('runtime', `onnxruntime can't run the model: ${firstLine(error)}`, {
        cause: error,
      });
    }
  };
  return session;
}

/** The first line of onnxruntime's words, without the source position and condition it puts before some. */
function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const line = text.trim().split('\n', 1)[0]!;
  return line.replace(/^\S*onnxruntime_src\S* .*? was false\. /, '').replace(/[.;\s]+$/, '');
}
