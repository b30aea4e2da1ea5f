/**
 * What a block is judged by: how little it changes the stream (`similarity`: one pass, ShortGPT), or how little the
 * loss rises without it, measured anew after each removal (`loss`: as SLEB, Song et al., 2024, and BlockPruner, Zhong et
 * al., 2024, do).
 */
export type DepthScore = (typeof depthScores)[number];

export const depthScores = ['loss', 'similarity'] as const;

/** What is removed at once: a residual branch, or a block of branches that repeats. */
export type DepthUnit = (typeof depthUnits)[number];

export const depthUnits = ['branch', 'block'] as const;
