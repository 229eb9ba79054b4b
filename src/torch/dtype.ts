/**
 * Dtypes: PyTorch's names, libtorch's codes (the order of c10::ScalarType, which never changes), and the typed array
 * each is read into.
 */

const codes = {
  uint8: 0,
  int8: 1,
  int16: 2,
  int32: 3,
  int64: 4,
  float16: 5,
  float32: 6,
  float64: 7,
  complex32: 8,
  complex64: 9,
  complex128: 10,
  bool: 11,
  bfloat16: 15,
  float8_e5m2: 23,
  float8_e4m3fn: 24,
  uint16: 27,
  uint32: 28,
  uint64: 29,
} as const;

export type DType = keyof typeof codes;

/** A nameless dtype (quantised, bit-packed) still has to print. */
const names = new Map<number, DType>(Object.entries(codes).map(([name, code]) => [code, name as DType]));

export const dtypes = Object.keys(codes) as DType[];

export function isDType(value: unknown): value is DType {
  return typeof value === "string" && Object.hasOwn(codes, value);
}

export function dtypeCode(dtype: DType): number {
  if (!isDType(dtype)) throw new TypeError(`Expected a dtype but received ${String(dtype)}; the dtypes are ${dtypes.join(", ")}`);
  return codes[dtype];
}

export function dtypeOfCode(code: number): DType {
  return names.get(code) ?? (`dtype ${code}` as DType);
}

export function isFloatingPoint(dtype: DType): boolean {
  return dtype.startsWith("float") || dtype === "bfloat16";
}

/** Bytes of one element. */
export function itemSize(dtype: DType): number {
  return Number(/\d+/.exec(dtype)?.[0] ?? 8) / 8; // bool takes a byte
}

export function isComplex(dtype: DType): boolean {
  return dtype.startsWith("complex");
}

export type TypedArray =
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** What `toArray()` returns for each dtype; complex numbers lie as real, imaginary, real, … */
export interface ArrayOf {
  uint8: Uint8Array;
  int8: Int8Array;
  int16: Int16Array;
  int32: Int32Array;
  int64: BigInt64Array;
  float16: Float32Array;
  float32: Float32Array;
  float64: Float64Array;
  complex32: Float32Array;
  complex64: Float32Array;
  complex128: Float64Array;
  bool: Uint8Array;
  bfloat16: Float32Array;
  float8_e5m2: Float32Array;
  float8_e4m3fn: Float32Array;
  uint16: Uint16Array;
  uint32: Uint32Array;
  uint64: BigUint64Array;
}

type TypedArrayConstructor = { new (buffer: ArrayBuffer): TypedArray };

/** Dtypes whose bytes are a typed array's as they stand; the others are converted to float32 first. */
const views: Partial<Record<DType, TypedArrayConstructor>> = {
  uint8: Uint8Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  float32: Float32Array,
  float64: Float64Array,
  complex64: Float32Array,
  complex128: Float64Array,
  bool: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
};

/** The typed array a dtype's bytes can be viewed as, or undefined when they need converting. */
export function viewOf(dtype: DType): TypedArrayConstructor | undefined {
  return views[dtype];
}

/** The dtype of a typed array's elements. */
export function dtypeOfArray(array: TypedArray): DType {
  return ofArray[array[Symbol.toStringTag]]!;
}

/** By name, which is the same in every realm (`vm` contexts, some test runners), as `instanceof` is not. */
const ofArray: Record<string, DType> = {
  Float32Array: "float32",
  Float64Array: "float64",
  Float16Array: "float16", // Node 24 has them
  BigInt64Array: "int64",
  BigUint64Array: "uint64",
  Int32Array: "int32",
  Uint32Array: "uint32",
  Int16Array: "int16",
  Uint16Array: "uint16",
  Int8Array: "int8",
  Uint8Array: "uint8",
  Uint8ClampedArray: "uint8",
};

export function isTypedArray(value: unknown): value is TypedArray {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}
