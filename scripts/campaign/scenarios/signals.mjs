/** SIGINT, SIGTERM and SIGHUP: exit code 130 with a checkpoint, and the printed command resumes the run. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { run } from "../children.mjs";
import { judgeCommand, tail } from "../judge.mjs";
import { CLI } from "../product.mjs";
import { checkpointsIn, differs, notWhole, wait } from "./base.mjs";

export default {
  name: "stop signals",
  share: 3,
  minimum: 40,
  async run(random, shop, folder) {
    const signal = random.of(["SIGINT", "SIGTERM", "SIGHUP"]);
    const twice = random.chance(0.15);
    const expected = await shop.baseline();
    const [out, cache] = [join(folder, "out"), join(folder, "cache")];
    const { child, ended, output } = shop.startCli(shop.train(out, cache));
    const moment = expected.seconds * (0.15 + 0.8 * random.number());
    await Promise.race([wait(moment), ended]);
    child.kill(signal);
    if (twice) {
      await wait(0.03);
      child.kill(signal);
    }
    const outcome = await ended;
    const note = `${signal}${twice ? " twice" : ""} after ${moment.toFixed(2)} s`;
    const fault = (text) => ({
      note,
      inputs: 1,
      faults: [{ type: "wrong", text: `${note.replace(/ after.*/, "")}: ${text}` }],
    });
    const why = notWhole(out);
    if (why) return fault(why);
    const steps = /^step \d/m.test(output.stderr) || checkpointsIn(out).length > 0;
    if (outcome.signal === signal && !steps && !existsSync(join(out, "metrics.jsonl"))) return { note, inputs: 1, faults: [] }; // before there was anything to stop
    // The second one stops at once. While Node ends the process there are no handlers any more.
    const isDone = existsSync(join(out, "adapter_model.safetensors"));
    if (outcome.signal === signal && (twice || isDone)) return { note, inputs: 1, faults: [] };
    if (outcome.code === 0) return { note, inputs: 1, faults: [] }; // it was done
    const bad = judgeCommand(outcome, { codes: [130] });
    if (bad) return { note, inputs: 1, faults: [{ ...bad, text: `${signal}: ${bad.text}` }] };
    if (twice) return { note, inputs: 1, faults: [] };
    if (existsSync(join(out, "metrics.jsonl")) && checkpointsIn(out).length === 0)
      return fault("no checkpoint of the steps that were done");
    const line = /^ {2}smaug (.+)$/m.exec(outcome.stderr)?.[1];
    if (line === undefined) return fault(`no command that resumes was printed: ${tail(outcome.stderr)}`);
    const again = await run("/bin/sh", ["-c", `exec "$0" "$1" ${line}`, process.execPath, CLI], shop.options());
    const worse = judgeCommand(again, { codes: [0] });
    if (worse) return { note, inputs: 1, faults: [{ ...worse, text: `the printed command failed: ${worse.text}` }] };
    const different = differs(out, expected);
    return different ? fault(`after resuming: ${different}`) : { note, inputs: 1, faults: [] };
  },
};
