/** `smaug train` and `smaug reference`: a configuration file with TRL's keys, or the same keys as options. */
import { Command } from "commander";
import { InputError } from "../../base/errors";
import { expectApart, expectUsableFolder, type Input } from "../../base/files/outputFolder";
import { hasEntry } from "../../base/files/paths";
import { snakeCase } from "../../base/names";
import { problemsError, unfit } from "../../base/problems";
import { expectOneProcess } from "../../base/processes";
import { Progress } from "../../base/terminal/progress";
import { shown } from "../../base/values";
import { repoName } from "../../hub/request";
import { localBaseOf } from "../../models/modelSource";
import type { DamagedCheckpointError } from "../../train/checkpoint/restore";
import { isRunEntry } from "../../train/output/entries";
import { RunOutput } from "../../train/output/ownership";
import { argumentsOf, pasteable, withOption } from "../options";
import { print, printJson, tell } from "../output";
import { commandEnded, SIGNALS } from "../run";
import { describeSettings, type ResolvedConfig, resolveConfig, toSnakeCase } from "./config";

const interrupted = 130;
const RESUME = "resume_from_checkpoint";
const OVERWRITE = "overwrite_output_dir";

interface Flags {
  json?: boolean;
  printConfig?: boolean;
}

export function trainCommand(): Command {
  return command("train")
    .addHelpText(
      "after",
      () => `\n${describeSettings()}\n\nExample:\n  $ smaug train dpop.yaml --learning_rate 1e-5 --output_dir runs/dpop\n`,
    )
    .action((_, flags: Flags, self: Command) => train(self.args, argumentsOf(self), flags));
}

export function referenceCommand(): Command {
  return command("reference")
    .addHelpText("after", "\nTakes what `smaug train` takes.\n\nExample:\n  $ smaug reference dpop.yaml\n")
    .action((_, flags: Flags, self: Command) => reference(self.args, argumentsOf(self), flags));
}

/** Keys are not declared as options one by one: they are a table, which the file shares. */
function command(name: string): Command {
  return new Command(name)
    .argument("[config.yaml]", "a YAML or JSON file with TRL's keys")
    .usage("[config.yaml] [--key value ...]")
    .option("--print-config", "check the configuration as a run would, print it in full, and exit")
    .option("--json", "print the result as JSON")
    .allowUnknownOption()
    .allowExcessArguments();
}

/** @param typed the command line after `smaug` */
async function train(args: readonly string[], typed: readonly string[], flags: Flags): Promise<void> {
  const resolved = resolveConfig(args);
  expectOneProcess();
  await checkInputs(resolved);
  if (flags.printConfig) return printResolved(resolved);
  const { outputDir, overwriteOutputDir: overwrite, resumeFromCheckpoint: resume } = resolved.config;
  const ways = {
    resume: pasteable(resuming(typed, "true")),
    overwrite: pasteable(withOption(withOption(typed, RESUME, undefined), OVERWRITE, "true")),
  };
  const stopping: Stopping = { stop: () => exitBefore(typed) };
  const release = stopOnInterrupt(() => stopping.stop());
  let output: RunOutput | undefined;
  try {
    output = RunOutput.claim({ folder: outputDir, overwrite, resume, ways });
    if (output.overwrites)
      tell(
        `note: the earlier run in ${outputDir} is kept until this one has a checkpoint or final weights, and put back if it ends before`,
      );
    await trainInto(output, resolved, typed, stopping, flags);
  } finally {
    output?.release();
    release();
  }
}

/** The handler of Ctrl-C, which changes once the trainer exists. */
interface Stopping {
  stop: () => void;
}

async function trainInto(
  output: RunOutput,
  resolved: ResolvedConfig,
  typed: readonly string[],
  stopping: Stopping,
  { json }: Flags,
): Promise<void> {
  const { createRun } = await import("./run.js"); // loads libtorch
  const { formatMetrics, reportPreparation } = await import("./output.js");
  const run = await createRun(resolved, output);
  const { trainer } = run;
  stopping.stop = () => trainer.stop();
  let progress: Progress | undefined;
  let pass: Progress | undefined;
  let metrics = "";
  try {
    for (const note of run.notes) tell(`note: ${note}`);
    trainer.on("reference", (done, total) => (pass ??= new Progress("reference", total)).update(done));
    trainer.on("prepared", (preparation) => {
      pass?.finish(`${preparation.referenceComputed} pairs computed`);
      reportPreparation(preparation);
      progress = new Progress("training", preparation.schedule.totalSteps);
    });
    trainer.on("log", (line) => (metrics = formatMetrics(line)));
    if (process.stderr.isTTY) trainer.on("step", ({ step }) => progress!.update(step, metrics));
    else trainer.on("log", (line) => tell(`step ${line["step"]}  ${metrics}`));
    trainer.on("evaluate", (line) => progress?.note(`evaluation at step ${line["step"]}: ${formatMetrics(line, "eval_")}`));
    trainer.on("plan", ({ reason }) => progress?.note(`memory: ${reason}`));
    trainer.on("warning", (message) => {
      if (progress) progress.note(`warning: ${message}`);
      else tell(`warning: ${message}`); // while the run is prepared
    });
    trainer.on("save", (folder) => progress?.note(`saved ${folder}`));
    const summary = await trainer.train();
    const { outputDir } = resolved.config;
    progress!.finish(`${summary.steps} steps, mean loss ${summary.trainLoss.toFixed(4)}`);
    const stopped = summary.end === "stopped";
    if (stopped) printResumeCommand(resuming(typed, summary.checkpoint), `after step ${summary.steps}`);
    const report = stopped ? undefined : await reportOf(outputDir);
    const { trainLoss, checkpoint = null, ...result } = summary;
    if (json) printJson({ ...result, train_loss: trainLoss, checkpoint, output_dir: outputDir, report });
    else if (!stopped) print([outputDir, ...(report ? [report] : [])].join("\n"));
  } catch (error) {
    if (isDamaged(error)) throw new InputError(`${error.damage}. ${insteadOf(error, typed)}`, { cause: error });
    if (!isInterruption(error)) throw error;
    printResumeCommand(typed, "before the first step; the reference values computed so far are kept");
  }
}

/** Writes the run's report. If that fails, the run still succeeds, with a warning. */
async function reportOf(outputDir: string): Promise<string | undefined> {
  const { writeRunReport } = await import("../../report/runReport.js");
  try {
    return await writeRunReport(outputDir);
  } catch (error) {
    tell(`warning: no report: ${(error as Error).message}`);
    return undefined;
  }
}

function isInterruption(error: unknown): boolean {
  return error instanceof Error && error.name === "InterruptedError";
}

/** By name: the class is in a module that loads libtorch. */
function isDamaged(error: unknown): error is DamagedCheckpointError {
  return error instanceof Error && error.name === "DamagedCheckpointError";
}

/** Which checkpoint can be resumed from instead of a damaged one, with the line to paste. */
function insteadOf({ whole, message, damage }: DamagedCheckpointError, typed: readonly string[]): string {
  if (whole === undefined) return message.slice(damage.length + 2);
  return `The newest intact checkpoint is ${whole}: resume from it with\n  ${pasteable(resuming(typed, whole))}`;
}

function printResumeCommand(args: readonly string[], where: string): void {
  tell(`stopped ${where}. Resume with\n  ${pasteable(args)}`);
  process.exitCode = interrupted;
}

/** The arguments that resume a run from a checkpoint. */
function resuming(typed: readonly string[], checkpoint: string | undefined): string[] {
  return withOption(withOption(typed, OVERWRITE, undefined), RESUME, checkpoint);
}

/** While the model loads there is nothing to finish. */
function exitBefore(args: readonly string[]): void {
  printResumeCommand(args, "before the first step");
  process.exit(); // releases the output folder
}

/** Everything about the run's files and folders that can be checked before anything is loaded. */
async function checkInputs(resolved: ResolvedConfig): Promise<void> {
  expectInputsKept(resolved);
  expectInputsFound(resolved);
  const { expectSplits } = await import("./rows.js");
  await expectSplits(resolved.config);
}

/** The expected value of each input. */
const kindsOfInput = {
  modelNameOrPath: "an existing folder or GGUF file, or a model on the hub",
  adapterNameOrPath: "an existing folder, or an adapter on the hub",
  refAdapterNameOrPath: "an existing folder, or an adapter on the hub",
  datasetName: "an existing file or folder, or a data set on the hub",
  evalDatasetName: "an existing file or folder, or a data set on the hub",
} as const;

/** Checks that paths exist. Names on the hub are checked when they are fetched. */
function expectInputsFound({ config }: ResolvedConfig): void {
  const problems = Object.entries(kindsOfInput).flatMap(([key, expected]) => {
    const name = config[key as keyof typeof kindsOfInput];
    if (name === null || hasEntry(name) || repoName(name) !== undefined) return [];
    return [unfit(snakeCase(key), expected, shown(name))];
  });
  const { resumeFromCheckpoint: checkpoint } = config;
  if (typeof checkpoint === "string" && !hasEntry(checkpoint))
    problems.push(unfit("resume_from_checkpoint", "an existing checkpoint, or true for the newest,", shown(checkpoint)));
  if (problems.length > 0) throw problemsError(problems);
}

/** Checks, before anything is loaded, that the run does not write over its inputs. */
function expectInputsKept({ config, file }: ResolvedConfig): void {
  expectUsableFolder(config.outputDir, "output_dir");
  const inputs: [string | null | undefined, string, string][] = [
    [config.modelNameOrPath, "model_name_or_path", "model's"],
    [localBaseOf(config.modelNameOrPath!), "model_name_or_path", "base model's"],
    [config.adapterNameOrPath, "adapter_name_or_path", "adapter's"],
    [config.refAdapterNameOrPath, "ref_adapter_name_or_path", "reference adapter's"],
    [config.datasetName, "dataset_name", "data's"],
    [config.evalDatasetName, "eval_dataset_name", "data's"],
    [file, "config.yaml", "configuration's"],
  ];
  const given = inputs.flatMap(([path, option, owner]): Input[] => (path ? [{ path, option, owner }] : []));
  expectApart(config.outputDir, "output_dir", given, isRunEntry);
}

async function reference(args: readonly string[], typed: readonly string[], { json, printConfig }: Flags): Promise<void> {
  const resolved = resolveConfig(args);
  expectOneProcess();
  await checkInputs(resolved);
  if (printConfig) return printResolved(resolved);
  const { createRun } = await import("./run.js"); // loads libtorch
  const { reportPreparation } = await import("./output.js");
  const { trainer, notes } = await createRun(resolved);
  const release = stopOnInterrupt(() => trainer.stop());
  let pass: Progress | undefined;
  try {
    for (const note of notes) tell(`note: ${note}`);
    trainer.on("warning", (message) => tell(`warning: ${message}`));
    trainer.on("reference", (done, total) => (pass ??= new Progress("reference", total)).update(done));
    const preparation = await trainer.prepare();
    pass?.finish(`${preparation.referenceComputed} pairs computed`);
    reportPreparation(preparation);
    preparation.optimizer.dispose();
    const { reference, referenceComputed } = preparation;
    const result = {
      reference_rows: reference.size,
      reference_computed: referenceComputed,
      step0_max_abs: preparation.state.step0MaxAbs,
    };
    if (json) printJson(result);
    else print(`${reference.size} pairs in the reference cache, ${referenceComputed} of them computed now`);
  } catch (error) {
    if (!isInterruption(error)) throw error;
    printResumeCommand(typed, "in the middle; the values computed so far are kept");
  } finally {
    release();
  }
}

function printResolved({ config, notes }: ResolvedConfig): void {
  for (const note of notes) tell(`note: ${note}`);
  printJson(toSnakeCase(config), 2);
}

/**
 * The first Ctrl-C stops after the current step, the second at once; so does SIGTERM. SIGHUP, sent when a terminal
 * closes, stops after the current step but never at once: the system and the shell both send it, so that a second one
 * is not a second request.
 */
function stopOnInterrupt(stop: () => void): () => void {
  let asked = false;
  const onInterrupt = (signal: NodeJS.Signals): void => {
    if (asked && signal === "SIGHUP") return;
    if (asked) process.exit(interrupted);
    asked = true;
    tell("\nstopping after this step; again to stop at once");
    stop();
  };
  for (const signal of SIGNALS) process.on(signal, onInterrupt);
  return () => {
    SIGNALS.forEach((signal) => process.off(signal, onInterrupt));
    commandEnded();
  };
}
