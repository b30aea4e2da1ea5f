/** Raw protobuf fields of a newer ONNX than the codec knows, kept byte for byte. Opaque. */
export type UnknownFields = Uint8Array;

export interface Message {
  readonly unknown?: UnknownFields;
}

export interface StringEntry extends Message {
  readonly key: string;
  readonly value: string;
}
