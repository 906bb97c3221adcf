/** Writes a {@link Model} as ONNX's protocol buffer (onnx/onnx.proto). The numbers are the fields' numbers there. */

import { parse, relative, sep } from 'node:path'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { dataTypeNumbers, type DataType } from './data-type.ts'
import type { Attribute, Dimension, GraphBody, Initializer, Model, Node, Value } from './model.ts'

/** 10 goes with opsets 22 and 23's types; ONNX Runtime 1.30 reads up to 11. */
const irVersion = 10

const external = 1
const attributeTypes = { float: 1, int: 2, string: 3, tensor: 4, graph: 5, ints: 7 } as const

/**
 * @returns the bytes of a ModelProto, small even for huge models: weights stay in their files
 * @throws Error where the weights lie on more than one drive (Windows)
 */
export function encodeModel(model: Model): Uint8Array {
  const writer = new BinaryWriter()
  varint(writer, 1, irVersion)
  text(writer, 2, 'kinora')
  message(writer, 7, () => encodeGraph(writer, model))
  for (const [domain, version] of Object.entries(model.opsets)) {
    message(writer, 8, () => {
      text(writer, 1, domain)
      varint(writer, 2, version)
    })
  }
  return writer.finish()
}

function encodeGraph(writer: BinaryWriter, model: Model): void {
  encodeBody(writer, model)
  const root = weightsRoot(model)
  for (const initializer of model.initializers) message(writer, 5, () => encodeInitializer(writer, initializer, root))
}

function encodeBody(writer: BinaryWriter, body: GraphBody): void {
  for (const node of body.nodes) message(writer, 1, () => encodeNode(writer, node))
  text(writer, 2, body.name)
  for (const input of body.inputs) message(writer, 11, () => encodeValue(writer, input))
  for (const output of body.outputs) message(writer, 12, () => encodeValue(writer, output))
}

function encodeNode(writer: BinaryWriter, node: Node): void {
  for (const input of node.inputs) text(writer, 1, input)
  for (const output of node.outputs) text(writer, 2, output)
  text(writer, 3, node.name)
  text(writer, 4, node.type)
  for (const [name, attribute] of Object.entries(node.attributes)) {
    message(writer, 5, () => {
      text(writer, 1, name)
      encodeAttribute(writer, attribute)
    })
  }
  if (node.domain !== '') text(writer, 7, node.domain)
}

function encodeAttribute(writer: BinaryWriter, attribute: Attribute): void {
  if (typeof attribute === 'string') {
    text(writer, 4, attribute)
    varint(writer, 20, attributeTypes.string)
  } else if (typeof attribute === 'number') {
    varint(writer, 3, attribute)
    varint(writer, 20, attributeTypes.int)
  } else if (!('kind' in attribute)) {
    for (const value of attribute) varint(writer, 8, value)
    varint(writer, 20, attributeTypes.ints)
  } else if (attribute.kind === 'float') {
    writer.tag(2, WireType.Bit32).float(attribute.value)
    varint(writer, 20, attributeTypes.float)
  } else if (attribute.kind === 'graph') {
    message(writer, 6, () => encodeBody(writer, attribute.body))
    varint(writer, 20, attributeTypes.graph)
  } else {
    message(writer, 5, () => encodeTensor(writer, attribute.dtype, attribute.shape, attribute.bytes))
    varint(writer, 20, attributeTypes.tensor)
  }
}

function encodeTensor(writer: BinaryWriter, dtype: DataType, shape: readonly number[], bytes: Uint8Array): void {
  for (const size of shape) varint(writer, 1, size)
  varint(writer, 2, dataTypeNumbers[dtype])
  writer.tag(9, WireType.LengthDelimited).bytes(bytes)
}

function encodeInitializer(writer: BinaryWriter, initializer: Initializer, root: string): void {
  const { data } = initializer
  text(writer, 8, initializer.name)
  if (data instanceof Uint8Array) return encodeTensor(writer, initializer.dtype, initializer.shape, data)
  for (const size of initializer.shape) varint(writer, 1, size)
  varint(writer, 2, dataTypeNumbers[initializer.dtype])
  const entries = {
    location: relative(root, data.file).split(sep).join('/'),
    offset: String(data.offset),
    length: String(data.length),
  }
  for (const [key, value] of Object.entries(entries)) {
    message(writer, 13, () => {
      text(writer, 1, key)
      text(writer, 2, value)
    })
  }
  varint(writer, 14, external)
}

function encodeValue(writer: BinaryWriter, value: Value): void {
  const { shape } = value
  text(writer, 1, value.name)
  message(writer, 2, () => {
    message(writer, 1, () => {
      varint(writer, 1, dataTypeNumbers[value.dtype])
      if (shape !== undefined) message(writer, 2, () => encodeShape(writer, shape))
    })
  })
}

function encodeShape(writer: BinaryWriter, shape: readonly Dimension[]): void {
  for (const size of shape) {
    message(writer, 1, () => (typeof size === 'number' ? varint(writer, 1, size) : text(writer, 2, size)))
  }
}

/** ONNX Runtime looks for weights below one folder: the root of the drive they are on. */
export function weightsRoot(model: Pick<Model, 'initializers'>): string {
  const roots = new Set<string>()
  for (const { data } of model.initializers) if (!(data instanceof Uint8Array)) roots.add(parse(data.file).root)
  if (roots.size > 1)
    throw new Error(`The weights of one graph lie on several drives (${[...roots].join(', ')}). Move them onto one.`)
  return [...roots][0] ?? '/'
}

function varint(writer: BinaryWriter, field: number, value: number): void {
  writer.tag(field, WireType.Varint).int64(value)
}

function text(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value)
}

function message(writer: BinaryWriter, field: number, body: () => void): void {
  writer.tag(field, WireType.LengthDelimited).fork()
  body()
  writer.join()
}
