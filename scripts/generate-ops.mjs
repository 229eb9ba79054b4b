/**
 * Writes src/torch/ops.generated.ts, the types of all ATen operators, from the schemas of the running library.
 *
 *   npm run generate     (after `npm run setup`)
 *
 * test/torch/generated.test.ts compares the committed file with the library, so that it cannot drift. Documentation
 * links are given for the names in scripts/documented.json, which scripts/documented.py lists.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const documented = JSON.parse(readFileSync(new URL("documented.json", import.meta.url), "utf8"));

const types = {
  Tensor: "Tensor",
  Scalar: "Scalar",
  int: "Int",
  float: "number",
  bool: "boolean",
  str: "string",
  dtype: "DType",
  layout: "Layout",
  Device: "Device",
  MemoryFormat: "MemoryFormat",
  Generator: "Generator",
  Storage: "Tensor",
  Stream: "Device",
  other: "never",
};

const returnTypes = {
  Tensor: "Tensor",
  "Tensor[]": "Tensor[]",
  int: "number",
  SymInt: "number",
  float: "number",
  bool: "boolean",
  SymBool: "boolean",
  Scalar: "number",
  ScalarType: "DType",
  QScheme: "string",
  "Dict(Tensor, Tensor)": "[Tensor, Tensor][]",
};

function argumentType(argument) {
  let type = types[argument.kind];
  if (argument.name === "reduction") return "Reduction | Int";
  if (argument.list) {
    const element = argument.optionalElement ? `(${type} | null)` : type;
    type = `readonly ${element}[]`;
    if (argument.size > 0 || argument.kind === "int") type += ` | ${types[argument.kind]}`;
  }
  return argument.optional ? `${type} | null` : type;
}

function returnType(returns) {
  const one = ({ type }) => {
    if (!(type in returnTypes)) throw new Error(`no TypeScript type for the return type ${type}`);
    return returnTypes[type];
  };
  if (returns.length === 0) return "void";
  return returns.length === 1 ? one(returns[0]) : `[${returns.map(one).join(", ")}]`;
}

const reserved = new Set(["arguments", "default", "delete", "eval", "function", "in", "new", "this", "var", "with"]);

/** The call signatures of one overload: by position, with what has a default by name, and with all but the operands by name. */
function signatures(overload, jsName, method) {
  const all = overload.arguments.map((argument) => ({
    key: jsName(argument.name),
    type: argumentType(argument),
    optional: argument.hasDefault || (argument.optional && argument.kwargOnly),
    kwargOnly: argument.kwargOnly,
    operand: argument.kind === "Tensor" || argument.kind === "Scalar",
  }));
  const own = method ? all.slice(1) : all;
  const positional = own.filter((argument) => !argument.kwargOnly);
  const keyword = own.filter((argument) => argument.kwargOnly);
  const result = returnType(overload.returns);
  const parameter = ({ key, type, optional }) => `${reserved.has(key) ? `${key}_` : key}${optional ? "?" : ""}: ${type}`;
  const options = (list) => {
    if (list.length === 0) return [];
    return [
      `options${list.every(({ optional }) => optional) ? "?" : ""}: { ${list.map(({ key, type, optional }) => `${key}${optional ? "?" : ""}: ${type}`).join("; ")} }`,
    ];
  };
  // Trailing arguments without a default after ones with: TypeScript wants them all required.
  const lastRequired = positional.findLastIndex(({ optional }) => !optional);
  const ordered = positional.map((argument, at) => (at < lastRequired ? { ...argument, optional: false } : argument));
  const requiredOptions = keyword.some(({ optional }) => !optional);
  const forms = requiredOptions ? [] : [[...ordered.map(parameter), ...options(keyword)]];
  const defaulted = ordered.filter(({ optional }) => optional);
  if (requiredOptions || defaulted.length > 0)
    forms.push([...ordered.filter(({ optional }) => !optional).map(parameter), ...options([...defaulted, ...keyword])]);
  const leading = positional.findIndex(({ optional, operand }) => optional || !operand);
  const named = leading === -1 ? [] : positional.slice(leading);
  if (
    !overload.name.startsWith("aten::_") &&
    named.some(({ optional }) => !optional) &&
    !named.some(({ optional, operand }) => !optional && operand)
  )
    forms.push([...positional.slice(0, leading).map(parameter), ...options([...named, ...keyword])]);
  return forms.map((parameters) => `(${parameters.join(", ")}): ${result}`);
}

function documentation(name, schemas) {
  const link = documented[name];
  const lines = [
    ...schemas.map((schema) => `\`${schema}\``),
    ...(link ? [`{@link https://docs.pytorch.org/docs/stable/generated/${link}.html}`] : []),
  ];
  return lines.length === 1 ? `/** ${lines[0]} */` : `/**\n${lines.map((line) => `   * ${line}`).join("  \n")}\n   */`;
}

function takesSelf({ arguments: [first] }) {
  return first?.name === "self" && first.kind === "Tensor" && !first.list;
}

/** Overloads that write into tensors given by name (`out=`) are functions only, as in PyTorch. */
function writesOut({ schema, arguments: args }) {
  const keywords = schema.slice(schema.indexOf("*, ") + 1, schema.indexOf(" -> "));
  return args.some(({ kwargOnly }) => kwargOnly) && /Tensor\(\w+!\)/.test(keywords);
}

export function generate(binding, jsName, tensorProperties) {
  const groups = new Map();
  for (const qualifiedName of binding.operatorNames().sort()) {
    if (!qualifiedName.startsWith("aten::")) continue;
    const overload = binding.describeOperator(binding.findOperator(qualifiedName));
    const base = overload.name.slice("aten::".length);
    if (!groups.has(base)) groups.set(base, []);
    groups.get(base).push(overload);
  }
  const functions = [];
  const methods = [];
  for (const [base, overloads] of groups) {
    const name = jsName(base);
    const usable = overloads.filter(
      ({ arguments: args }) => !args.some(({ kind, optional, hasDefault }) => kind === "other" && !optional && !hasDefault),
    );
    if (usable.length === 0) continue;
    const comment = documentation(
      base,
      usable.map(({ schema }) => schema),
    );
    const write = (method, list) => {
      const forms = new Set(list.flatMap((overload) => signatures(overload, jsName, method)));
      return `  ${comment}\n${[...forms].map((form) => `  ${name}${form};`).join("\n")}`;
    };
    functions.push(write(false, usable));
    if (tensorProperties.has(name) || (name.startsWith("_") && !name.startsWith("__"))) continue;
    const withSelf = usable.filter((overload) => takesSelf(overload) && !writesOut(overload));
    if (withSelf.length > 0) methods.push(write(true, withSelf));
  }
  return `// Generated by scripts/generate-ops.mjs from the schemas of libtorch ${binding.versions().compiled}. Do not edit: npm run generate.
import type { Layout, MemoryFormat, Reduction, Scalar } from "./arguments";
import type { Device } from "./device";
import type { DType } from "./dtype";

type Int = number | bigint;

/** Every ATen operator as a function. */
export interface Ops<Tensor, Generator> {
${functions.join("\n")}
}

/** Every ATen operator whose first argument is \`self\`, as a method of it. */
export interface TensorMethods<Tensor, Generator> {
${methods.join("\n")}
}
`;
}

/** Properties and methods of Tensor written by hand, which the operators of the same name do not replace. */
export function handwrittenProperties(Tensor, Handle) {
  return new Set([...Object.getOwnPropertyNames(Tensor.prototype), ...Object.getOwnPropertyNames(Handle.prototype)]);
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const require = createRequire(import.meta.url);
  const { binding } = require("../dist/native/binding.js");
  const { jsName } = require("../dist/torch/schemas.js");
  const { Handle } = require("../dist/torch/scope.js");
  const { Tensor } = require("../dist/torch/tensor.js");
  const target = new URL("../src/torch/ops.generated.ts", import.meta.url);
  writeFileSync(target, generate(binding, jsName, handwrittenProperties(Tensor, Handle)));
}
