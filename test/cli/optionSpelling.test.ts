/** `--max_new_tokens` and `--max-new-tokens` are the same, in every command. */
import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { dataCommand } from "../../src/cli/data/command";
import { evalCommand } from "../../src/cli/eval";
import { generateCommand } from "../../src/cli/generate";
import { mergeCommand } from "../../src/cli/merge/command";
import { reportCommand } from "../../src/cli/report";
import { reproduceCommand } from "../../src/cli/reproduce/command";
import { run } from "../../src/cli/run";
import { scoreCommand } from "../../src/cli/score";
import { doctorCommand, setupCommand } from "../../src/cli/setup";
import { referenceCommand, trainCommand } from "../../src/cli/train/command";

const makers = [
  trainCommand,
  referenceCommand,
  generateCommand,
  scoreCommand,
  evalCommand,
  mergeCommand,
  reportCommand,
  reproduceCommand,
  dataCommand,
  setupCommand,
  doctorCommand,
];

/** Every leaf command, with the words that name it. */
function leaves(command: Command, words: readonly string[] = []): { words: readonly string[]; command: Command }[] {
  const path = [...words, command.name()];
  return command.commands.length === 0 ? [{ words: path, command }] : command.commands.flatMap((each) => leaves(each, path));
}

const options = makers.flatMap((make) =>
  leaves(make()).flatMap(({ words, command }) =>
    command.options
      .filter(({ long }) => long!.slice(2).includes("-"))
      .map(({ long, required, argChoices }) => ({ words, long: long!, required, argChoices })),
  ),
);

/** The values that a command receives for its options, by camel-case name. */
async function parsed(words: readonly string[], args: readonly string[], name: string): Promise<unknown> {
  const program = new Command("smaug");
  let seen: unknown;
  for (const make of makers) {
    const command = make();
    for (const each of leaves(command).map((leaf) => leaf.command)) {
      each.action((...all: unknown[]) => void (seen = (all.at(-1) as Command).opts()[name]));
      for (const option of each.options) option.makeOptionMandatory(false);
    }
    program.addCommand(command);
  }
  program.commands.forEach(function allow(command: Command) {
    command.allowExcessArguments();
    for (const argument of command.registeredArguments) argument.argOptional();
    command.commands.forEach(allow);
  });
  await run(program, ["node", "smaug", ...words, ...args]);
  return seen;
}

/** Options for which 2 is not a valid value. */
const values: Readonly<Record<string, string>> = { "--top-p": "0.5", "--min-p": "0.5", "--column-mapping": "a=prompt" };

test("most commands have such options", () => {
  expect(new Set(options.map(({ words }) => words[0])).size).toBeGreaterThan(6);
});

describe.each(options)("smaug $words $long", ({ words, long, required, argChoices }) => {
  const other = `--${long.slice(2).replaceAll("-", "_")}`;
  const isNegated = long.startsWith("--no-");
  const name = long.slice(isNegated ? 5 : 2).replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
  const value = argChoices?.[0] ?? values[long] ?? "2";

  test("with underscores", async () => {
    const before = process.exitCode;
    const [dashes, underscores] = [
      await parsed(words, required ? [long, value] : [long], name),
      await parsed(words, required ? [other, value] : [other], name),
    ];
    expect(dashes).toBeDefined();
    expect(underscores).toEqual(dashes);
    if (required) expect(await parsed(words, [`${other}=${value}`], name)).toEqual(dashes);
    process.exitCode = before;
  });
});
