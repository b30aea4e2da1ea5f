import { PruneError } from '../errors.js';
import { isContractionKernel } from '../ops/profile.js';
import type { ProfiledNode, Provider } from './runtime.js';

/** onnxruntime's names of the execution providers, as profiles report them. */
export const executionProviders: Readonly<Record<Provider, string>> = {
  cpu: 'CPUExecutionProvider',
  cuda: 'CUDAExecutionProvider',
  webgpu: 'WebGpuExecutionProvider',
};

/** Which provider ran what, from a profile of one run. */
export interface ProviderUse {
  /** Executed nodes by provider, in onnxruntime's names. */
  readonly nodes: Readonly<Record<string, number>>;
  /** Share, 0 to 1, of the compute nodes (contractions; all nodes if there are none) that the wanted provider ran. */
  readonly computeShare: number;
  /** Distinct op types of compute nodes that ran elsewhere, sorted. */
  readonly elsewhere: readonly string[];
}

/** Where the work of a profile was done. */
export function providerUse(profile: readonly ProfiledNode[], wanted: Provider): ProviderUse {
  const nodes: Record<string, number> = {};
  for (const { provider } of profile) nodes[provider] = (nodes[provider] ?? 0) + 1;
  const contractions = profile.filter((node) => isContractionKernel(node.opType));
  const compute = contractions.length > 0 ? contractions : profile;
  const elsewhere = compute.filter((node) => node.provider !== executionProviders[wanted]);
  return {
    nodes,
    computeShare: compute.length === 0 ? 0 : 1 - elsewhere.length / compute.length,
    elsewhere: [...new Set(elsewhere.map((node) => node.opType))].sort(),
  };
}

/**
 * Refuses a run that onnxruntime silently moved to another provider: with CUDA's libraries missing it falls back to
 * the CPU without a word, and every timing would be of the wrong device.
 * A provider that ran some of the compute nodes passes (`computeShare` says how many).
 * @throws PruneError `runtime` naming what to install, if the provider ran no compute node.
 */
export function assertProvider(profile: readonly ProfiledNode[], wanted: Provider): ProviderUse {
  const use = providerUse(profile, wanted);
  if (profile.length > 0 && use.computeShare === 0) {
    const others = Object.keys(use.nodes).sort().join(', ');
    throw new PruneError(
      'runtime',
      `provider ${wanted} ran none of the compute nodes (${others} did): ${installHint(wanted)}`,
    );
  }
  return use;
}

/** What to install or check for a provider, one line. */
export function installHint(provider: Provider): string {
  switch (provider) {
    case 'cuda':
      // The package on npm has no CUDA libraries; its install script fetches them when this variable asks for them,
      // which wins over `onnxruntime-node-install=skip` in an .npmrc.
      return 'install CUDA 12 and cuDNN 9, then fetch the provider (linux/x64 only) with ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node';
    case 'webgpu':
      return 'install a Vulkan (libvulkan.so.1 and a driver), Metal or Direct3D 12 driver; without a GPU point VK_ICD_FILENAMES at a software one such as vk_swiftshader_icd.json';
    case 'cpu':
      return 'reinstall it with npm install onnxruntime-node';
  }
}
