/** `datetime.now().strftime(format)` in the C locale, as in glibc. */
import { unsupported } from "./errors";
import { limits } from "./limits";

const MONTHS = "January February March April May June July August September October November December".split(" ");
const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");

/** How a field is padded to its width, unless a flag overrides it. */
type Field = readonly [value: string, width: number, fill: "0" | " " | ""];

function field(date: Date, letter: string): Field | undefined {
  const number = (value: number, width = 2, fill: "0" | " " = "0"): Field => [String(value), width, fill];
  const text = (value: string): Field => [value, 0, ""];
  const format = (pattern: string): Field => text(strftime(date, pattern));
  const [year, day] = [date.getFullYear(), date.getDay()];
  const dayOfYear = Math.round((Date.UTC(year, date.getMonth(), date.getDate()) - Date.UTC(year, 0, 0)) / 86_400_000);
  switch (letter) {
    case "a":
      return text(DAYS[day]!.slice(0, 3));
    case "A":
      return text(DAYS[day]!);
    case "b":
    case "h":
      return text(MONTHS[date.getMonth()]!.slice(0, 3));
    case "B":
      return text(MONTHS[date.getMonth()]!);
    case "c":
      return format("%a %b %e %H:%M:%S %Y");
    case "C":
      return number(Math.floor(year / 100));
    case "d":
      return number(date.getDate());
    case "D":
    case "x":
      return format("%m/%d/%y");
    case "e":
      return number(date.getDate(), 2, " ");
    case "f":
      return number(date.getMilliseconds() * 1000, 6);
    case "F":
      return format("%Y-%m-%d");
    case "G":
      return number(isoWeek(date).year, 1);
    case "g":
      return number(isoWeek(date).year % 100);
    case "H":
      return number(date.getHours());
    case "I":
      return number(date.getHours() % 12 || 12);
    case "j":
      return number(dayOfYear, 3);
    case "k":
      return number(date.getHours(), 2, " ");
    case "l":
      return number(date.getHours() % 12 || 12, 2, " ");
    case "m":
      return number(date.getMonth() + 1);
    case "M":
      return number(date.getMinutes());
    case "n":
      return text("\n");
    case "p":
      return text(date.getHours() < 12 ? "AM" : "PM");
    case "P":
      return text(date.getHours() < 12 ? "am" : "pm");
    case "r":
      return format("%I:%M:%S %p");
    case "R":
      return format("%H:%M");
    case "s":
      return number(Math.floor(date.getTime() / 1000), 1);
    case "S":
      return number(date.getSeconds());
    case "t":
      return text("\t");
    case "T":
    case "X":
      return format("%H:%M:%S");
    case "u":
      return number(day || 7, 1);
    case "U":
      return number(Math.floor((dayOfYear + 6 - day) / 7));
    case "V":
      return number(isoWeek(date).week);
    case "w":
      return number(day, 1);
    case "W":
      return number(Math.floor((dayOfYear + 6 - ((day + 6) % 7)) / 7));
    case "y":
      return number(year % 100);
    case "Y":
      return number(year, 1);
    case "z":
    case "Z":
      return text(""); // now() has no time zone
    case "%":
      return text("%");
    default:
      return undefined;
  }
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
    const found = field(date, letter);
    if (found === undefined) throw unsupported(`strftime_now('${whole}')`);
    let [value, width, fill] = found;
    for (const flag of flags) {
      if (flag === "-") fill = "";
      else if (flag === "_") fill = " ";
      else if (flag === "0") fill = "0";
      else if (flag === "^") value = value.toUpperCase();
      else value = /^[AP]M$/.test(value) ? value.toLowerCase() : value.toUpperCase();
    }
    return fill === "" ? value : value.padStart(width, fill);
  });
  limits.copiedText(written.length);
  return written;
}
