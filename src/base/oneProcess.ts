/** Launchers such as torchrun start several processes, each of which would train on all rows into the same folder. */
import { InputError } from "./errors";

/** @throws InputError when the environment says that this is one of several processes */
export function expectOneProcess(environment: NodeJS.ProcessEnv = process.env): void {
  const text = environment["WORLD_SIZE"]?.trim() ?? "";
  if (text === "" || Number(text) === 1) return;
  if (/^\d+$/.test(text) && Number(text) > 1)
    throw new InputError(
      `Expected one process but the environment variable WORLD_SIZE is ${text}: training in several processes is not ` +
        "supported yet. Start smaug once, without torchrun or another launcher, or unset WORLD_SIZE",
    );
  throw new InputError(
    `Expected the number of processes in the environment variable WORLD_SIZE but received ${JSON.stringify(text)}; unset it`,
  );
}
