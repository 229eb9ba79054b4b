#!/usr/bin/env node
/** The `smaug` command. Commands load what they need when they run, so that `doctor` works where libtorch does not. */
import { Command } from "commander";
import { guardStandardStreams } from "../base/terminal/streams";
import { packageVersion } from "../native/paths";
import { dataCommand } from "./data/command";
import { doctorCommand } from "./doctor";
import { evalCommand } from "./eval";
import { generateCommand } from "./generate";
import { mergeCommand } from "./merge/command";
import { reportCommand } from "./report";
import { reproduceCommand } from "./reproduce/command";
import { run } from "./run";
import { scoreCommand } from "./score";
import { setupCommand } from "./setup";
import { ownProcess } from "./signals";
import { referenceCommand, trainCommand } from "./train/command";

guardStandardStreams();

const program = new Command("smaug")
  .description("Preference optimisation of language models over libtorch.")
  .version(packageVersion())
  .addHelpText("after", "\nExample:\n  $ smaug reproduce --seed 1\n")
  .addCommand(setupCommand())
  .addCommand(doctorCommand())
  .addCommand(trainCommand())
  .addCommand(referenceCommand())
  .addCommand(generateCommand())
  .addCommand(dataCommand())
  .addCommand(scoreCommand())
  .addCommand(evalCommand())
  .addCommand(mergeCommand())
  .addCommand(reportCommand())
  .addCommand(reproduceCommand());

ownProcess();
void run(program, process.argv);
