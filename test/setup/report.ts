/** What a program of program.ts hands back, once, as one line. */
export function report(value: unknown): void {
  process.stdout.write(`report: ${JSON.stringify(value)}\n`);
}
