const MS_PER_DAY = 86_400_000;
const DAYS_FROM_MARCH_0000_TO_1970 = 719_468;
const DAYS_PER_ERA = 146_097;
/** 9999-12-31T23:59:59.999Z: later times have no four-digit year. */
const LAST_MS = 253_402_300_799_999;

const pad = (value: number, digits: number) => String(value).padStart(digits, '0');

/** Year, month and day of the proleptic Gregorian calendar; years are counted from March, in eras of 400. */
function dateOf(days: number): string {
  const shifted = days + DAYS_FROM_MARCH_0000_TO_1970;
  const era = Math.floor(shifted / DAYS_PER_ERA);
  const dayOfEra = shifted - era * DAYS_PER_ERA;
  const leapDays =
    Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const yearStart = 365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  const dayOfYear = dayOfEra - yearStart;
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`;
}

/** ISO 8601 in UTC, as `Date.toISOString` writes it. @param timeMs Unix time in milliseconds, 0 or later */
export function isoTime(timeMs: number): string {
  if (timeMs > LAST_MS) return `${timeMs} ms after 1970`;
  const days = Math.floor(timeMs / MS_PER_DAY);
  const ms = timeMs - days * MS_PER_DAY;
  const [hours, minutes, seconds] = [ms / 3_600_000, (ms / 60_000) % 60, (ms / 1000) % 60].map(Math.floor);
  return `${dateOf(days)}T${pad(hours!, 2)}:${pad(minutes!, 2)}:${pad(seconds!, 2)}.${pad(ms % 1000, 3)}Z`;
}
