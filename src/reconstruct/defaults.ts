/** Defaults of `reconstruct`, and of what the `obspa` criterion measures. */
export const reconstructDefaults = {
  damping: 1e-3,
  maxRows: 40_000,
  seed: 0,
  shortcuts: true,
  repair: 'weights',
} as const;
