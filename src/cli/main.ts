#!/usr/bin/env node
/** The `smaug` command. Commands load what they need when they run, so that `doctor` works where libtorch does not. */
import { Command } from "commander";
import { packageVersion } from "../native/paths";
import { doctorCommand } from "./doctor";
import { reproduceCommand } from "./reproduce";
import { run } from "./run";
import { setupCommand } from "./setup";

const program = new Command("smaug")
  .description("Preference optimisation of language models over libtorch.")
  .version(packageVersion())
  .addHelpText("after", "\nExample:\n  $ smaug reproduce --seed 1\n")
  .addCommand(setupCommand())
  .addCommand(doctorCommand())
  .addCommand(reproduceCommand());

void run(program, process.argv);
