import { execFile } from 'node:child_process';

/**
 * The NVIDIA GPUs of this machine as `nvidia-smi` names them, one a line in its order; undefined where it is not there
 * or says nothing within five seconds.
 */
export function gpuNames(): Promise<string | undefined> {
  return new Promise((resolve) => {
    const query = ['--query-gpu=name', '--format=csv,noheader'];
    execFile('nvidia-smi', query, { timeout: 5000 }, (error, stdout) =>
      resolve((!error && stdout.trim()) || undefined),
    );
  });
}
