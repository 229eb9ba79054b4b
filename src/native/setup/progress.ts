/** Tells what setup is doing: lines, and on a terminal one line that counts up. */
import { printable } from "../../base/terminal/terminal";

export interface Progress {
  line(text: string): void;
  /** How far a long step is; `total` 0 when nobody knows. */
  share(text: string, done: number, total: number): void;
}

/** Writes to standard error. Where that is no terminal, each further tenth is a line. */
export function terminalProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  let open = false;
  let last = -1;
  return {
    line(text) {
      stream.write(`${open ? "\n" : ""}smaug: ${printable(text)}\n`);
      open = false;
      last = -1;
    },
    share(text, done, total) {
      if (total === 0) return;
      const percent = Math.floor((100 * done) / total);
      if (percent === last || (!stream.isTTY && Math.floor(percent / 10) === Math.floor(last / 10))) return;
      last = percent;
      open = stream.isTTY;
      stream.write(stream.isTTY ? `\rsmaug: ${text}: ${percent} %` : `smaug: ${text}: ${percent} %\n`);
    },
  };
}
