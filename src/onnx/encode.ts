import type onnxProto from 'onnx-proto';

import { dataTypeToNumber } from './data-type.js';
import { normalDomain } from './domain.js';
import type { StringEntry } from './message.js';
import type {
  Attribute,
  Dimension,
  FunctionBody,
  Graph,
  Model,
  Node,
  OpsetImport,
  ValueInfo,
  ValueType,
} from './model.js';
import type { Tensor } from './tensor.js';
import { TypedData } from './tensor-data.js';
import type { ExternalEntries } from './external.js';
import { DeferredBytes } from './unknown-fields.js';
import { lengthDelimited } from './wire.js';

type Proto = typeof onnxProto.onnx;

const attributeTypes = {
  float: 1, int: 2, string: 3, tensor: 4, graph: 5, floats: 6, ints: 7, strings: 8, tensors: 9, graphs: 10,
} as const; // prettier-ignore

/** Turns the representation into messages for the generated code; empty strings and lists stay unset. */
export class Encoder {
  /** Raw bytes to be written after the known fields of a message. */
  readonly extras = new Map<object, Uint8Array[]>();

  constructor(private readonly external: ExternalEntries) {}

  model(model: Model): onnxProto.onnx.IModelProto {
    const message: onnxProto.onnx.IModelProto = {
      irVersion: model.irVersion,
      ...text('producerName', model.producerName),
      ...text('producerVersion', model.producerVersion),
      ...text('domain', model.domain),
      ...(model.modelVersion !== 0n && { modelVersion: int64(model.modelVersion) }),
      ...text('docString', model.docString),
      graph: this.graph(model.graph),
      opsetImport: model.opsetImports.map((entry) => this.opsetImport(entry)),
      metadataProps: model.metadata.map((entry) => this.stringEntry(entry)),
      trainingInfo: model.trainingInfo.map((info) => this.asEncoded(info)),
      functions: model.functions.map((body) => this.functionBody(body)),
    };
    return this.withUnknown(message, model.unknown);
  }

  private graph(graph: Graph): onnxProto.onnx.IGraphProto {
    const message: onnxProto.onnx.IGraphProto = {
      node: graph.nodes.map((node) => this.node(node)),
      ...text('name', graph.name),
      initializer: graph.initializers.map((tensor) => this.tensor(tensor)),
      sparseInitializer: graph.sparseInitializers.map(({ encoded }) => this.asEncoded(encoded)),
      ...text('docString', graph.docString),
      input: graph.inputs.map((value) => this.valueInfo(value)),
      output: graph.outputs.map((value) => this.valueInfo(value)),
      valueInfo: graph.valueInfos.map((value) => this.valueInfo(value)),
      quantizationAnnotation: graph.quantizationAnnotations.map((annotation) =>
        this.withUnknown(
          {
            ...text('tensorName', annotation.tensorName),
            quantParameterTensorNames: annotation.entries.map((entry) => this.stringEntry(entry)),
          },
          annotation.unknown,
        ),
      ),
    };
    return this.withUnknown(message, graph.unknown);
  }

  private node(node: Node): onnxProto.onnx.INodeProto {
    const message: onnxProto.onnx.INodeProto = {
      input: node.inputs as string[],
      output: node.outputs as string[],
      ...text('name', node.name),
      opType: node.opType,
      ...text('domain', spelled(node)),
      attribute: Array.from(node.attributes.values(), (entry) => this.attribute(entry)),
      ...text('docString', node.docString),
    };
    return this.withUnknown(message, node.unknown);
  }

  private attribute(attribute: Attribute): onnxProto.onnx.IAttributeProto {
    if (attribute.type === 'other') return this.asEncoded(attribute.value);
    const message: onnxProto.onnx.IAttributeProto = {
      name: attribute.name,
      type: attributeTypes[attribute.type],
      ...text('docString', attribute.docString),
      ...text('refAttrName', attribute.reference),
      ...(attribute.reference === '' && !attribute.nanFields && this.attributeValue(attribute)),
    };
    if (attribute.nanFields) this.append(message, attribute.nanFields);
    if (attribute.strayFields) this.append(message, attribute.strayFields);
    return this.withUnknown(message, attribute.unknown);
  }

  private attributeValue(attribute: Exclude<Attribute, { type: 'other' }>): onnxProto.onnx.IAttributeProto {
    switch (attribute.type) {
      case 'float':
        return { f: attribute.value };
      case 'int':
        return { i: int64(attribute.value) };
      case 'string':
        return { s: attribute.value };
      case 'tensor':
        return { t: this.tensor(attribute.value) };
      case 'graph':
        return { g: this.graph(attribute.value) };
      case 'floats':
        return { floats: attribute.value as number[] };
      case 'ints':
        return { ints: attribute.value.map(int64) };
      case 'strings':
        return { strings: attribute.value as Uint8Array[] };
      case 'tensors':
        return { tensors: attribute.value.map((tensor) => this.tensor(tensor)) };
      case 'graphs':
        return { graphs: attribute.value.map((graph) => this.graph(graph)) };
    }
  }

  private tensor(tensor: Tensor): onnxProto.onnx.ITensorProto {
    const message: onnxProto.onnx.ITensorProto = {
      dims: tensor.dims as number[],
      dataType: dataTypeToNumber(tensor.dtype),
      ...text('name', tensor.name),
      ...text('docString', tensor.docString),
    };
    const { data } = tensor;
    const entries = this.external.get(tensor);
    if (entries) {
      message.externalData = entries.map((entry) => this.stringEntry(entry));
      message.dataLocation = 1;
    } else if (data.strings) message.stringData = data.strings as Uint8Array[];
    else if (data instanceof TypedData) this.append(message, ...lengthDelimited(data.field, data.packed));
    else if (data.storage !== 'absent' && data.byteLength > 0)
      message.rawData = new DeferredBytes(data) as unknown as Uint8Array;
    if (tensor.segment) message.segment = this.asEncoded(tensor.segment);
    return this.withUnknown(message, tensor.unknown);
  }

  private valueInfo(value: ValueInfo): onnxProto.onnx.IValueInfoProto {
    const message: onnxProto.onnx.IValueInfoProto = {
      ...text('name', value.name),
      ...text('docString', value.docString),
    };
    if (value.type)
      message.type =
        value.type.kind === 'tensor' ? this.type(value.type) : this.asEncoded(value.type.encoded);
    return this.withUnknown(message, value.unknown);
  }

  private type(type: Extract<ValueType, { kind: 'tensor' }>): onnxProto.onnx.ITypeProto {
    const shape = type.shape && {
      shape: this.withUnknown({ dim: type.shape.map((dim) => this.dimension(dim)) }, type.shapeUnknown),
    };
    const tensorType = this.withUnknown(
      { elemType: dataTypeToNumber(type.dtype), ...shape },
      type.tensorUnknown,
    );
    return this.withUnknown({ tensorType, ...text('denotation', type.denotation) }, type.unknown);
  }

  private dimension(dimension: Dimension): onnxProto.onnx.TensorShapeProto.IDimension {
    const { value } = dimension;
    const message = {
      ...(typeof value === 'number' && { dimValue: value }),
      ...(typeof value === 'string' && { dimParam: value }),
      ...text('denotation', dimension.denotation),
    };
    return this.withUnknown(message, dimension.unknown);
  }

  private functionBody(body: FunctionBody): InstanceType<Proto['FunctionProto']> {
    const message = {
      ...text('name', body.name),
      input: body.inputs as string[],
      output: body.outputs as string[],
      attribute: body.attributes as string[],
      node: body.nodes.map((node) => this.node(node)),
      ...text('docString', body.docString),
      opsetImport: body.opsetImports.map((entry) => this.opsetImport(entry)),
      ...text('domain', spelled(body)),
    };
    return this.withUnknown(message as InstanceType<Proto['FunctionProto']>, body.unknown);
  }

  private opsetImport(entry: OpsetImport): onnxProto.onnx.IOperatorSetIdProto {
    return this.withUnknown({ ...text('domain', entry.domain), version: entry.version }, entry.unknown);
  }

  private stringEntry(entry: StringEntry): onnxProto.onnx.IStringStringEntryProto {
    return this.withUnknown({ key: entry.key, value: entry.value }, entry.unknown);
  }

  /** A message that was carried along: no known field is set, all its bytes are extras. */
  private asEncoded(bytes: Uint8Array): object {
    return this.withUnknown({}, bytes);
  }

  private withUnknown<T extends object>(message: T, unknown: Uint8Array | undefined): T {
    if (unknown) this.append(message, unknown);
    return message;
  }

  private append(message: object, ...parts: readonly Uint8Array[]): void {
    const extras = this.extras.get(message);
    if (extras) extras.push(...parts);
    else this.extras.set(message, [...parts]);
  }
}

/** As the file spelled it, if it is still that domain. */
function spelled({ domain, spelledDomain }: Pick<Node, 'domain' | 'spelledDomain'>): string {
  return spelledDomain !== undefined && normalDomain(spelledDomain) === domain ? spelledDomain : domain;
}

function text<K extends string>(key: K, value: string): { [P in K]?: string } {
  return value === '' ? {} : ({ [key]: value } as { [P in K]: string });
}

/** Numbers where they are exact; else the bits, in the shape of `Long`, which may not be installed. */
function int64(value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  const bits = BigInt.asUintN(64, value);
  const long = { low: Number(bits & 0xffffffffn) | 0, high: Number(bits >> 32n) | 0, unsigned: false };
  return long as unknown as number;
}
