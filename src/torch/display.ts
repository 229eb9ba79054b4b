/**
 * Printing tensors as PyTorch does: four digits, scientific notation when values span too far, long tensors summarised
 * by their edges. The rules are those of torch/_tensor_str.py; shape, dtype and device always follow the values.
 */
import { type Operator, invoke } from "./operators";
import { type TypedArray, isComplex, isFloatingPoint } from "./dtype";
import { tidy } from "./scope";
import { Tensor } from "./tensor";

const PRECISION = 4; // digits after the point
const SUMMARISE_FROM = 1000; // elements
const EDGE = 3; // elements shown at each end of a summarised dimension
const LINE_WIDTH = 80;
const PREFIX = "tensor(";

const narrowOp: Operator = { name: "narrow", qualifiedNames: ["aten::narrow"] };
const catOp: Operator = { name: "cat", qualifiedNames: ["aten::cat"] };

export function inspectTensor(tensor: Tensor): string {
  if (tensor.slot === -1) return "tensor(disposed)";
  const { shape, dtype, device } = tensor;
  const suffix = [`shape=[${shape.join(", ")}]`, `dtype=${dtype}`, `device=${device}`];
  if (tensor.gradFn !== null) suffix.push(`gradFn=${tensor.gradFn}`);
  else if (tensor.requiresGrad) suffix.push("requiresGrad=true");
  const body = tidy(() => values(tensor));
  const lastLine = body.slice(body.lastIndexOf("\n") + 1);
  const start = body.includes("\n") ? lastLine.length : PREFIX.length + lastLine.length;
  return `${PREFIX}${body}${join(suffix, start)})`;
}

/** The suffixes, each on a new line when the current one is full. */
function join(suffixes: string[], start: number): string {
  let column = start;
  let text = "";
  for (const suffix of suffixes) {
    if (column + suffix.length + 2 > LINE_WIDTH) {
      text += `,\n${" ".repeat(PREFIX.length)}${suffix}`;
      column = PREFIX.length + suffix.length;
    } else {
      text += `, ${suffix}`;
      column += suffix.length + 2;
    }
  }
  return text;
}

function values(tensor: Tensor): string {
  const shape = tensor.shape;
  if (shape.includes(0)) return "[]";
  const summarised = tensor.numel() > SUMMARISE_FROM;
  const shown = summarised ? edges(tensor) : tensor;
  const flat = shown.toArray() as TypedArray;
  const format = formatter(flat, tensor);
  const shownShape = shown.shape;

  let next = 0;
  const nest = (depth: number): string => {
    if (depth === shape.length) return format(next++);
    const rows = Array.from({ length: shownShape[depth]! }, () => nest(depth + 1));
    const cut = summarised && shape[depth]! > 2 * EDGE;
    return depth === shape.length - 1 ? line(rows, cut, depth) : block(rows, cut, depth, shape.length);
  };
  return nest(0);
}

/** The innermost dimension: as many elements on a line as fit. */
function line(elements: string[], cut: boolean, depth: number): string {
  const indent = PREFIX.length + depth;
  const shown = cut ? [...elements.slice(0, EDGE), " ...", ...elements.slice(EDGE)] : elements;
  const perLine = Math.max(1, Math.floor((LINE_WIDTH - indent) / (elements[0]!.length + 2)));
  const lines: string[] = [];
  for (let i = 0; i < shown.length; i += perLine) lines.push(shown.slice(i, i + perLine).join(", "));
  return `[${lines.join(`,\n${" ".repeat(indent + 1)}`)}]`;
}

function block(rows: string[], cut: boolean, depth: number, dims: number): string {
  const shown = cut ? [...rows.slice(0, EDGE), "...", ...rows.slice(EDGE)] : rows;
  return `[${shown.join(`,${"\n".repeat(dims - depth - 1)}${" ".repeat(PREFIX.length + depth + 1)}`)}]`;
}

/** The first and last elements of every long dimension. */
function edges(tensor: Tensor): Tensor {
  return tensor.shape.reduce((result, size, dim) => {
    if (size <= 2 * EDGE) return result;
    const first = invoke(narrowOp, [result, dim, 0, EDGE]);
    const last = invoke(narrowOp, [result, dim, size - EDGE, EDGE]);
    return invoke(catOp, [[first, last], dim]) as Tensor;
  }, tensor);
}

function formatter(flat: TypedArray, tensor: Tensor): (at: number) => string {
  const { dtype } = tensor;
  if (dtype === "bool") return (at) => (flat[at] !== 0 ? " true" : "false");
  if (isComplex(dtype)) {
    const real = floatFormat(Array.from({ length: flat.length / 2 }, (_, i) => Number(flat[2 * i])));
    const imag = floatFormat(Array.from({ length: flat.length / 2 }, (_, i) => Math.abs(Number(flat[2 * i + 1]))));
    return (at) => `${real(Number(flat[2 * at]))}${Number(flat[2 * at + 1]) < 0 ? "-" : "+"}${imag(Math.abs(Number(flat[2 * at + 1]))).trimStart()}j`;
  }
  if (isFloatingPoint(dtype)) {
    const format = floatFormat(Array.from(flat as Float32Array, Number));
    return (at) => format(Number(flat[at]));
  }
  const width = Math.max(...Array.from(flat as Int32Array, (value) => String(value).length));
  return (at) => String(flat[at]).padStart(width);
}

/** One format for all values: whole numbers as `1.`, others with four digits, scientific when the range asks for it. */
function floatFormat(all: number[]): (value: number) => string {
  const finite = all.filter((value) => Number.isFinite(value) && value !== 0).map(Math.abs);
  const largest = Math.max(...finite, 0);
  const smallest = finite.length > 0 ? Math.min(...finite) : 0;
  const whole = finite.every(Number.isInteger);
  const wide = finite.length > 0 && (largest / smallest > 1000 || largest > 1e8);
  const scientific = wide || (!whole && smallest < 1e-4);
  const text = (value: number): string => {
    if (Number.isNaN(value)) return "nan";
    if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
    if (scientific) return value.toExponential(PRECISION).replace(/e([+-])(\d)$/, "e$10$2");
    return whole ? `${negativeZero(value)}${value.toFixed(0)}.` : `${negativeZero(value)}${fixed(value)}`;
  };
  const width = Math.max(...all.map((value) => text(value).length));
  return (value) => text(value).padStart(width);
}

function negativeZero(value: number): string {
  return Object.is(value, -0) ? "-" : "";
}

/** Four digits, halves to even as Python rounds (JavaScript rounds them up). */
function fixed(value: number): string {
  const scaled = Math.abs(value) * 10 ** PRECISION;
  const isTie = scaled % 1 === 0.5 && (Math.abs(value) * 2 ** 20) % 1 === 0;
  if (!isTie) return value.toFixed(PRECISION);
  const even = Math.floor(scaled) % 2 === 0 ? Math.floor(scaled) : Math.ceil(scaled);
  return ((Math.sign(value) * even) / 10 ** PRECISION).toFixed(PRECISION);
}
