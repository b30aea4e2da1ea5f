import { each, family, type OpFamily } from './op.js';

/** Ops on text and encoded images: they have no channels to remove. */
export const text: OpFamily = family(
  { ImageDecoder: { inputs: 'encoded_stream' }, StringConcat: { inputs: 'X Y' } },
  each('RegexFullMatch StringNormalizer StringSplit TfIdfVectorizer', { inputs: 'X' }),
);
