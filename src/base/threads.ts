/** Whether threads can run this package. */
import { extname } from "node:path";

/** No where TypeScript is run by something that threads do not inherit, such as a test runner. */
export const canStartWorkers = extname(__filename) === ".js";
