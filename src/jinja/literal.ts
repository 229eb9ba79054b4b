/** `ast.literal_eval` of Python: a text that is a number, a text, a list, a tuple, a dict, True, False or None. */
import { JinjaError, valueError } from "./errors";
import { tokenize } from "./lexer";
import type { Expression } from "./nodes";
import { unary } from "./operators";
import { type ParserOptions, parse } from "./parser";
import { Dict, PyFloat, Tuple, type Value, isInt } from "./values";

const SYNTAX: ParserOptions = {
  trimBlocks: false,
  lstripBlocks: false,
  keepTrailingNewline: true,
  extensions: new Set(),
};

/** @throws JinjaError when the text is no literal */
export function literalEval(text: string): Value {
  const source = `{{ ${text.replace(/^[ \t]+/, "")} }}`;
  for (const { type, value, error } of tokenize(source, SYNTAX)) {
    if (error) throw error;
    if (type === "name" && !/^(?:True|False|None)$/.test(value)) throw malformed();
  }
  const [only, ...more] = parse(source, SYNTAX);
  const items = only?.type === "Output" ? only.items : [];
  if (more.length > 0 || items.length !== 1 || items[0]!.type === "Data") throw malformed();
  return valueOf(items[0] as Expression);
}

function malformed(): JinjaError {
  return valueError("malformed node or string");
}

function valueOf(node: Expression): Value {
  switch (node.type) {
    case "Const":
      return node.value;
    case "List":
      return node.items.map(valueOf);
    case "Tuple":
      return new Tuple(node.items.map(valueOf));
    case "Dict": {
      const dict = new Dict();
      for (const { key, value } of node.items) dict.set(valueOf(key), valueOf(value));
      return dict;
    }
    case "Unary": {
      const operand = valueOf(node.operand);
      if (node.operator !== "not" && typeof operand !== "boolean" && (isInt(operand) || operand instanceof PyFloat))
        return unary(node.operator, operand);
      throw malformed();
    }
    default:
      throw malformed();
  }
}
