/** `datetime.now().strftime(format)` in the C locale, as in glibc. */
import { unsupported } from "./errors";
import { limits } from "./limits";

const MONTHS = "January February March April May June July August September October November December".split(" ");
const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");

/** How a field is padded to its width, unless a flag overrides it. */
type Field = readonly [value: string, width: number, fill: "0" | " " | ""];

const number = (value: number, width = 2, fill: "0" | " " = "0"): Field => [String(value), width, fill];
const text = (value: string): Field => [value, 0, ""];

/** A field that stands for a format of others. */
const formatted =
  (format: string) =>
  (date: Date): Field =>
    text(strftime(date, format));

const FIELDS: Readonly<Record<string, (date: Date) => Field>> = {
  a: (date) => text(DAYS[date.getDay()]!.slice(0, 3)),
  A: (date) => text(DAYS[date.getDay()]!),
  b: (date) => text(MONTHS[date.getMonth()]!.slice(0, 3)),
  B: (date) => text(MONTHS[date.getMonth()]!),
  c: formatted("%a %b %e %H:%M:%S %Y"),
  C: (date) => number(Math.floor(date.getFullYear() / 100)),
  d: (date) => number(date.getDate()),
  D: formatted("%m/%d/%y"),
  e: (date) => number(date.getDate(), 2, " "),
  f: (date) => number(date.getMilliseconds() * 1000, 6),
  F: formatted("%Y-%m-%d"),
  G: (date) => number(isoWeek(date).year, 1),
  g: (date) => number(isoWeek(date).year % 100),
  h: (date) => text(MONTHS[date.getMonth()]!.slice(0, 3)),
  H: (date) => number(date.getHours()),
  I: (date) => number(date.getHours() % 12 || 12),
  j: (date) => number(dayOfYear(date), 3),
  k: (date) => number(date.getHours(), 2, " "),
  l: (date) => number(date.getHours() % 12 || 12, 2, " "),
  m: (date) => number(date.getMonth() + 1),
  M: (date) => number(date.getMinutes()),
  n: () => text("\n"),
  p: (date) => text(date.getHours() < 12 ? "AM" : "PM"),
  P: (date) => text(date.getHours() < 12 ? "am" : "pm"),
  r: formatted("%I:%M:%S %p"),
  R: formatted("%H:%M"),
  s: (date) => number(Math.floor(date.getTime() / 1000), 1),
  S: (date) => number(date.getSeconds()),
  t: () => text("\t"),
  T: formatted("%H:%M:%S"),
  u: (date) => number(date.getDay() || 7, 1),
  U: (date) => number(Math.floor((dayOfYear(date) + 6 - date.getDay()) / 7)),
  V: (date) => number(isoWeek(date).week),
  w: (date) => number(date.getDay(), 1),
  W: (date) => number(Math.floor((dayOfYear(date) + 6 - ((date.getDay() + 6) % 7)) / 7)),
  x: formatted("%m/%d/%y"),
  X: formatted("%H:%M:%S"),
  y: (date) => number(date.getFullYear() % 100),
  Y: (date) => number(date.getFullYear(), 1),
  z: () => text(""), // now() has no time zone
  Z: () => text(""),
  "%": () => text("%"),
};

function dayOfYear(date: Date): number {
  const year = date.getFullYear();
  return Math.round((Date.UTC(year, date.getMonth(), date.getDate()) - Date.UTC(year, 0, 0)) / 86_400_000);
}

/** The ISO week: the week of this week's Thursday, counted in that Thursday's year. */
function isoWeek(date: Date): { year: number; week: number } {
  const thursday = new Date(date.getFullYear(), date.getMonth(), date.getDate() + 3 - ((date.getDay() + 6) % 7));
  const first = Date.UTC(thursday.getFullYear(), 0, 1);
  const days = (Date.UTC(thursday.getFullYear(), thursday.getMonth(), thursday.getDate()) - first) / 86_400_000;
  return { year: thursday.getFullYear(), week: Math.floor(days / 7) + 1 };
}

/** @throws JinjaError for a code that glibc does not have and would print unchanged */
export function strftime(date: Date, format: string): string {
  const written = format.replace(/%([-_0^#]*)([EO]?)([\s\S]|$)/gu, (whole, flags: string, _modifier: string, letter: string) => {
    if (!Object.hasOwn(FIELDS, letter)) throw unsupported(`strftime_now('${whole}')`);
    return flagged(FIELDS[letter]!(date), flags);
  });
  limits.copiedText(written.length);
  return written;
}

/** A field as its flags change it. */
function flagged([value, width, fill]: Field, flags: string): string {
  for (const flag of flags) {
    if (flag === "-") fill = "";
    else if (flag === "_") fill = " ";
    else if (flag === "0") fill = "0";
    else if (flag === "^") value = value.toUpperCase();
    else value = /^[AP]M$/.test(value) ? value.toLowerCase() : value.toUpperCase();
  }
  return fill === "" ? value : value.padStart(width, fill);
}
