#!/usr/bin/env node
/** The `smaug` command. The module of a command is loaded when that command is named, so that the others cost nothing. */
import { Command } from "commander";
import { packageVersion } from "../base/package";
import { guardStandardStreams } from "../base/terminal/streams";
import { ownProcess, run } from "./run";

interface Entry {
  /** What follows the name in the list of commands. */
  readonly usage: string;
  readonly description: string;
  readonly load: () => Promise<Command>;
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  setup: {
    usage: "[options]",
    description: "find or fetch libtorch, and make the addon ready for it",
    load: async () => (await import("./setup.js")).setupCommand(),
  },
  doctor: {
    usage: "[options]",
    description: "check libtorch, the addon and the devices",
    load: async () => (await import("./setup.js")).doctorCommand(),
  },
  train: {
    usage: "[options] [config.yaml]",
    description: "train a model on preference pairs",
    load: async () => (await import("./train/command.js")).trainCommand(),
  },
  reference: {
    usage: "[options] [config.yaml]",
    description: "compute the reference log-probs that a run needs, store them in the cache, and exit",
    load: async () => (await import("./train/command.js")).referenceCommand(),
  },
  generate: {
    usage: "[options]",
    description: "continue a prompt or answer a conversation with a model",
    load: async () => (await import("./generate.js")).generateCommand(),
  },
  data: {
    usage: "",
    description: "make preference data, and look at it before training on it",
    load: async () => (await import("./data/command.js")).dataCommand(),
  },
  score: {
    usage: "[options]",
    description: "log-probs of chosen and rejected answers under a model",
    load: async () => (await import("./score.js")).scoreCommand(),
  },
  eval: {
    usage: "[options]",
    description: "scores of a model on benchmarks",
    load: async () => (await import("./eval.js")).evalCommand(),
  },
  merge: {
    usage: "[options]",
    description: "merge an adapter into the weights of its model, and write a folder that needs no adapter",
    load: async () => (await import("./merge/command.js")).mergeCommand(),
  },
  report: {
    usage: "[options] <runs...>",
    description: "draw what training runs logged, several side by side",
    load: async () => (await import("./report.js")).reportCommand(),
  },
  reproduce: {
    usage: "[options]",
    description: "train a small model, then DPO, DPOP and SFT from it, and show what each does to the chosen answers",
    load: async () => (await import("./reproduce/command.js")).reproduceCommand(),
  },
};

async function main(argv: readonly string[]): Promise<void> {
  const program = new Command("smaug")
    .description("Preference optimisation of language models over libtorch.")
    .version(packageVersion())
    .configureHelp({ subcommandTerm: (command) => `${command.name()} ${COMMANDS[command.name()]?.usage ?? "[command]"}`.trim() })
    .addHelpText("after", "\nExample:\n  $ smaug reproduce --seed 1\n");
  const named = commandIn(argv.slice(2));
  for (const [name, { description, load }] of Object.entries(COMMANDS))
    program.addCommand((name === named ? await load() : new Command(name)).description(description));
  await run(program, argv);
}

/** The command that the arguments name; `help score` names score. */
function commandIn(args: readonly string[]): string | undefined {
  const [first, second] = args.filter((arg) => !arg.startsWith("-"));
  return first === "help" ? second : first;
}

guardStandardStreams();
ownProcess();
void main(process.argv);
