import type { DataType } from './data-type.js';
import type { Message, StringEntry, UnknownFields } from './message.js';
import type { Tensor } from './tensor.js';

/**
 * The intermediate representation: plain readonly data, free of protobuf.
 *
 * A transformed model is made by spreading (`{ ...node, inputs }`), so everything that a
 * transformation doesn't know about (doc strings, metadata, unknown fields) stays.
 * Values are named by strings as in ONNX; `''` is an absent optional input or output.
 */

export interface Model extends Message {
  readonly irVersion: number;
  /** Operator set versions by domain; the default domain is `''` (also for `ai.onnx`). */
  readonly opsets: ReadonlyMap<string, number>;
  /** The opset imports as they stand in the file, in order. */
  readonly opsetImports: readonly OpsetImport[];
  readonly producerName: string;
  readonly producerVersion: string;
  readonly domain: string;
  readonly modelVersion: bigint;
  readonly docString: string;
  readonly metadata: readonly StringEntry[];
  readonly graph: Graph;
  readonly functions: readonly FunctionBody[];
  /** `TrainingInfoProto`s, encoded; carried along untouched. */
  readonly trainingInfo: readonly Uint8Array[];
}

export interface OpsetImport extends Message {
  readonly domain: string;
  readonly version: number;
}

export interface Graph extends Message {
  readonly name: string;
  readonly docString: string;
  /** In topological order. */
  readonly nodes: readonly Node[];
  readonly initializers: readonly Tensor[];
  /** `SparseTensorProto`s, encoded; their names are listed so that rules can block them. */
  readonly sparseInitializers: readonly { readonly name: string; readonly encoded: Uint8Array }[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly valueInfos: readonly ValueInfo[];
  readonly quantizationAnnotations: readonly QuantizationAnnotation[];
}

export interface QuantizationAnnotation extends Message {
  readonly tensorName: string;
  readonly entries: readonly StringEntry[];
}

export interface Node extends Message {
  readonly name: string;
  readonly opType: string;
  /** `''` for the default domain (also where the file says `ai.onnx`). */
  readonly domain: string;
  /** The domain as the file spells it, where that is not `domain`. */
  readonly spelledDomain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
  readonly docString: string;
}

export interface AttributeBase extends Message {
  readonly name: string;
  readonly docString: string;
  /** Inside a function body: the function attribute this one refers to; `''` otherwise. */
  readonly reference: string;
  /** Fields of other types than its own, encoded. */
  readonly strayFields?: Uint8Array;
  /** The field of a float value that holds NaNs, encoded: a number keeps no payload of them. */
  readonly nanFields?: Uint8Array;
}

export type AttributeValue =
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'int'; readonly value: bigint }
  | { readonly type: 'string'; readonly value: Uint8Array }
  | { readonly type: 'tensor'; readonly value: Tensor }
  | { readonly type: 'graph'; readonly value: Graph }
  | { readonly type: 'floats'; readonly value: readonly number[] }
  | { readonly type: 'ints'; readonly value: readonly bigint[] }
  | { readonly type: 'strings'; readonly value: readonly Uint8Array[] }
  | { readonly type: 'tensors'; readonly value: readonly Tensor[] }
  | { readonly type: 'graphs'; readonly value: readonly Graph[] }
  /** Kinds that nothing here reads (sparse tensors, type protos, undefined): the encoded message. */
  | { readonly type: 'other'; readonly value: Uint8Array };

export type Attribute = AttributeBase & AttributeValue;

/** A dimension: a size, a symbolic name, or undefined where the file says nothing. */
export interface Dimension extends Message {
  readonly value: number | string | undefined;
  readonly denotation: string;
}

export interface ValueInfo extends Message {
  readonly name: string;
  readonly docString: string;
  readonly type: ValueType | undefined;
}

export type ValueType =
  | {
      readonly kind: 'tensor';
      readonly dtype: DataType;
      /** Undefined where the rank is unknown. */
      readonly shape: readonly Dimension[] | undefined;
      readonly denotation: string;
      readonly unknown?: UnknownFields;
      readonly tensorUnknown?: UnknownFields;
      readonly shapeUnknown?: UnknownFields;
    }
  /** Sequences, maps, optionals, sparse tensors: the encoded `TypeProto`. */
  | { readonly kind: 'other'; readonly encoded: Uint8Array };

/** A model-local function. */
export interface FunctionBody extends Message {
  readonly name: string;
  readonly domain: string;
  readonly spelledDomain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly string[];
  readonly nodes: readonly Node[];
  readonly opsetImports: readonly OpsetImport[];
  readonly docString: string;
}
