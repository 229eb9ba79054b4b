/** Reports: pictures of training runs in one file that opens offline. */
export { renderRunReport, writeRunReport } from "./runReport";
