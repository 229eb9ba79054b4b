/**
 * Printing tensors as PyTorch does: four digits, scientific notation when values span too far, long tensors summarised
 * by their edges. The rules are those of torch/_tensor_str.py; shape, dtype and device always follow the values. Values
 * that are not laid out in memory (sparse, quantised, meta tensors) are left out.
 */
import { type ArrayOf, type DType, isComplex, isFloatingPoint, type TypedArray } from "./dtype";

const PRECISION = 4; // digits after the point
const SUMMARISE_FROM = 1000; // elements
const EDGE = 3; // elements shown at each end of a summarised dimension
const LINE_WIDTH = 80;
const PREFIX = "tensor(";

/** What is asked of a tensor to print it. */
interface Printable {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly device: string;
  readonly gradFn: string | null;
  readonly requiresGrad: boolean;
}

/** The values to show of a tensor: all of them, or the edges that `edgesOf` keeps. */
interface Shown {
  readonly shape: readonly number[];
  toArray(): ArrayOf[DType];
}

/** The text of a tensor; without `shown`, its values are left out. */
export function formatTensor(tensor: Printable, shown: Shown | undefined): string {
  const { shape, dtype, device } = tensor;
  const suffix = [`shape=[${shape.join(", ")}]`, `dtype=${dtype}`, `device=${device}`];
  if (tensor.gradFn !== null) suffix.push(`gradFn=${tensor.gradFn}`);
  else if (tensor.requiresGrad) suffix.push("requiresGrad=true");
  const body = values(shape, dtype, shown);
  const lastLine = body.slice(body.lastIndexOf("\n") + 1);
  const start = body.includes("\n") ? lastLine.length : PREFIX.length + lastLine.length;
  return `${PREFIX}${body}${join(suffix, start)})`;
}

/** Cuts the long dimensions of a tensor that is too large to print; `cut` keeps `edge` elements at both ends of one. */
export function edgesOf<T extends { readonly shape: readonly number[] }>(
  tensor: T,
  cut: (tensor: T, dim: number, edge: number) => T,
): T {
  if (!isSummarised(tensor.shape)) return tensor;
  return tensor.shape.reduce((result, size, dim) => (size <= 2 * EDGE ? result : cut(result, dim, EDGE)), tensor);
}

function isSummarised(shape: readonly number[]): boolean {
  return shape.reduce((product, size) => product * size, 1) > SUMMARISE_FROM;
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

function values(shape: readonly number[], dtype: DType, shown: Shown | undefined): string {
  if (shape.includes(0)) return "[]";
  if (shown === undefined) return "...";
  const summarised = isSummarised(shape);
  const { width, format } = formatter(shown.toArray(), dtype);
  const shownShape = shown.shape;

  let next = 0;
  const nest = (depth: number): string => {
    if (depth === shape.length) return format(next++);
    const rows = Array.from({ length: shownShape[depth]! }, () => nest(depth + 1));
    const cut = summarised && shape[depth]! > 2 * EDGE;
    return depth === shape.length - 1 ? line(rows, cut, depth, width) : block(rows, cut, depth, shape.length);
  };
  return nest(0);
}

/** The innermost dimension: as many elements of `width` characters on a line as fit. */
function line(elements: string[], cut: boolean, depth: number, width: number): string {
  const indent = PREFIX.length + depth;
  const shown = cut ? [...elements.slice(0, EDGE), " ...", ...elements.slice(EDGE)] : elements;
  const perLine = Math.max(1, Math.floor((LINE_WIDTH - indent) / (width + 2)));
  const lines: string[] = [];
  for (let i = 0; i < shown.length; i += perLine) lines.push(shown.slice(i, i + perLine).join(", "));
  return `[${lines.join(`,\n${" ".repeat(indent + 1)}`)}]`;
}

function block(rows: string[], cut: boolean, depth: number, dims: number): string {
  const shown = cut ? [...rows.slice(0, EDGE), "...", ...rows.slice(EDGE)] : rows;
  return `[${shown.join(`,${"\n".repeat(dims - depth - 1)}${" ".repeat(PREFIX.length + depth + 1)}`)}]`;
}

interface Formatter<T> {
  /** Characters an element takes; what is not finite may take more. */
  width: number;
  format: (element: T) => string;
}

/** Formats the elements of a flat array by their place. */
function formatter(flat: TypedArray, dtype: DType): Formatter<number> {
  const every = (step: number, offset: number) =>
    Array.from({ length: flat.length / step }, (_, i) => Number(flat[step * i + offset]));
  if (isComplex(dtype)) {
    const real = floatFormatter(every(2, 0));
    const imag = floatFormatter(every(2, 1));
    return {
      width: real.width + imag.width + 1,
      format: (at) => {
        const imaginary = imag.format(Number(flat[2 * at + 1])).trimStart();
        return `${real.format(Number(flat[2 * at]))}${imaginary.startsWith("-") ? "" : "+"}${imaginary}j`;
      },
    };
  }
  if (isFloatingPoint(dtype)) {
    const { width, format } = floatFormatter(every(1, 0));
    return { width, format: (at) => format(Number(flat[at])) };
  }
  const text = (at: number) => (dtype === "bool" ? String(flat[at] !== 0) : String(flat[at]));
  let width = 1;
  for (let at = 0; at < flat.length; at++) width = Math.max(width, text(at).length);
  return { width, format: (at) => text(at).padStart(width) };
}

/** One format for all values: whole numbers as `1.`, others with four digits, scientific when the range asks for it. */
function floatFormatter(all: number[]): Formatter<number> {
  const finite = all.filter((value) => Number.isFinite(value) && value !== 0);
  let largest = 0;
  let smallest = Infinity;
  for (const value of finite) {
    largest = Math.max(largest, Math.abs(value));
    smallest = Math.min(smallest, Math.abs(value));
  }
  const whole = finite.every(Number.isInteger);
  const scientific = finite.length > 0 && (largest / smallest > 1000 || largest > 1e8 || smallest < 1e-4);
  const text = (value: number): string => {
    if (Number.isNaN(value)) return "nan";
    if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
    const sign = Object.is(value, -0) ? "-" : "";
    if (scientific) return sign + rounded(value, "toExponential").replace(/e([+-])(\d)$/, "e$10$2");
    return sign + (whole ? `${value.toFixed(0)}.` : rounded(value, "toFixed"));
  };
  const width = finite.reduce((longest, value) => Math.max(longest, text(value).length), 1);
  return { width, format: (value) => text(value).padStart(width) };
}

/** Four digits. JavaScript rounds a tie up, Python to the even digit: then the exact digits, cut, are the answer. */
function rounded(value: number, notation: "toFixed" | "toExponential"): string {
  const tie = /^(.*\.\d{3}[02468])50*(e.*)?$/.exec(value[notation](40));
  return tie ? tie[1]! + (tie[2] ?? "") : value[notation](PRECISION);
}
