/**
 * Functions of too many paths: their cyclomatic complexity, as ESLint counts it, is above 20. Prints one line for each
 * and exits with 1. Biome checks the cognitive complexity; a long switch or a chain of `??` is only found here.
 *
 *   node scripts/complexity.mjs [FOLDER ...]
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

const MAX = 20;
const FOLDERS = ["src", "test", "scripts", "examples"];
const SOURCE = /(?<!\.d|\.generated)\.(ts|mts|mjs|cjs)$/;

const { SyntaxKind } = ts;
const BRANCHES = new Set([
  SyntaxKind.IfStatement,
  SyntaxKind.ConditionalExpression,
  SyntaxKind.CaseClause,
  SyntaxKind.CatchClause,
  SyntaxKind.ForStatement,
  SyntaxKind.ForInStatement,
  SyntaxKind.ForOfStatement,
  SyntaxKind.WhileStatement,
  SyntaxKind.DoStatement,
]);
const OPERATORS = new Set([
  SyntaxKind.AmpersandAmpersandToken,
  SyntaxKind.BarBarToken,
  SyntaxKind.QuestionQuestionToken,
  SyntaxKind.AmpersandAmpersandEqualsToken,
  SyntaxKind.BarBarEqualsToken,
  SyntaxKind.QuestionQuestionEqualsToken,
]);

function isBranch(node) {
  return (
    BRANCHES.has(node.kind) ||
    node.questionDotToken !== undefined ||
    (ts.isBinaryExpression(node) && OPERATORS.has(node.operatorToken.kind)) ||
    ((ts.isParameter(node) || ts.isBindingElement(node)) && node.initializer !== undefined)
  );
}

function visit(node, paths, report) {
  const own = ts.isFunctionLike(node) && node.body ? { count: 1 } : paths;
  if (own !== undefined && isBranch(node)) own.count++;
  ts.forEachChild(node, (child) => visit(child, own, report));
  if (own !== paths && own.count > MAX) report(node, own.count);
}

let found = 0;
for (const folder of process.argv.length > 2 ? process.argv.slice(2) : FOLDERS)
  for (const name of readdirSync(folder, { recursive: true }).filter((name) => SOURCE.test(name))) {
    const path = join(folder, name);
    const file = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest);
    visit(file, undefined, (node, count) => {
      const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
      console.log(`${path}:${line + 1}: ${node.name?.getText(file) ?? "a function"} has complexity ${count}, at most ${MAX}`);
      found++;
    });
  }
process.exitCode = found > 0 ? 1 : 0;
