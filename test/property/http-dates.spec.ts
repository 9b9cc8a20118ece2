import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatHttpDate, parseHttpDate } from '../../libs/caching/src/http/semantics/http-date.js';
import { anyLatin1 } from '../support/latin1.js';

const NOW = Date.UTC(2026, 0, 1);
const RFC_EXAMPLE = 784_111_777_000;
const RUNS = { numRuns: 2_000 };
const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

describe('an HTTP date', () => {
  it.each([
    ['IMF-fixdate', 'Sun, 06 Nov 1994 08:49:37 GMT'],
    ['rfc850', 'Sunday, 06-Nov-94 08:49:37 GMT'],
    ['asctime', 'Sun Nov  6 08:49:37 1994'],
  ])('is read in the format %s of RFC 9110 §5.6.7', (_, text) => {
    expect(parseHttpDate(text, NOW)).toBe(RFC_EXAMPLE);
  });

  // RFC 9111 §4.2: dates are case-sensitive, and a cache should match them case-insensitively all the same.
  it.each(['SUN, 06 Nov 1994 08:49:37 GMT', 'sunday, 06-NOV-94 08:49:37 gmt', 'Sun nOV  6 08:49:37 1994'])(
    'is read whatever the case of its letters: %s',
    (text) => {
      expect(parseHttpDate(text, NOW)).toBe(RFC_EXAMPLE);
    },
  );

  it('means the next minute with a leap second', () => {
    expect(parseHttpDate('Sat, 31 Dec 2016 23:59:60 GMT', NOW)).toBe(Date.UTC(2017, 0, 1));
  });

  it('of two digits is at most 50 years ahead', () => {
    expect(parseHttpDate('Wednesday, 01-Jan-75 00:00:00 GMT', NOW)).toBe(Date.UTC(2075, 0, 1));
    expect(parseHttpDate('Wednesday, 01-Jan-76 00:00:00 GMT', NOW)).toBe(Date.UTC(2076, 0, 1));
    expect(parseHttpDate('Wednesday, 02-Jan-76 00:00:00 GMT', NOW)).toBe(Date.UTC(1976, 0, 2));
    expect(parseHttpDate('Wednesday, 01-Jan-99 00:00:00 GMT', NOW)).toBe(Date.UTC(1999, 0, 1));
  });

  it.each([
    ['nothing', ''],
    ['a number, which Date.parse takes for a year', '0'],
    ['ISO 8601', '2050-08-18T02:01:18Z'],
    ['another zone (freshness-expires-invalid-utc)', 'Thu, 18 Aug 2050 02:01:18 UTC'],
    ['an offset', 'Thu, 18 Aug 2050 02:01:18 +0000'],
    ['two digits of a year (freshness-expires-invalid-2-digit-year)', 'Thu, 18 Aug 50 02:01:18 GMT'],
    ['no comma (freshness-expires-invalid-no-comma)', 'Thu 18 Aug 2050 02:01:18 GMT'],
    ['more spaces (freshness-expires-invalid-multiple-spaces)', 'Thu, 18  Aug  2050 02:01:18 GMT'],
    ['dashes (freshness-expires-invalid-date-dashes)', 'Thu, 18-Aug-2050 02:01:18 GMT'],
    ['points (freshness-expires-invalid-time-periods)', 'Thu, 18 Aug 2050 02.01.18 GMT'],
    ['an hour of one digit (freshness-expires-invalid-1-digit-hour)', 'Thu, 18 Aug 2050 2:01:18 GMT'],
    ['a day that the month does not have', 'Mon, 30 Feb 2026 02:01:18 GMT'],
    ['an hour that no day has', 'Thu, 18 Aug 2050 24:01:18 GMT'],
    ['more behind it', 'Thu, 18 Aug 2050 02:01:18 GMT, x'],
  ])('is not %s', (_, text) => {
    expect(parseHttpDate(text, NOW)).toBeUndefined();
  });

  it('comes back as it was sent, cut to the second, in each format', () => {
    fc.assert(
      fc.property(fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }), (time) => {
        const second = Math.floor(time / 1000) * 1000;
        const sent = formatHttpDate(time);
        expect(parseHttpDate(sent, NOW)).toBe(second);
        const [, day = '', month = '', year = '', clock = ''] = sent.split(' ');
        const asctime = `Sun ${month} ${day.replace(/^0/, ' ')} ${clock} ${year}`;
        expect(parseHttpDate(asctime, NOW)).toBe(second);
        const now = second - 10 * 365 * 86_400_000;
        const weekday = WEEKDAYS[new Date(second).getUTCDay()];
        const rfc850 = `${weekday}, ${day}-${month}-${year.slice(-2)} ${clock} GMT`;
        // Of its own century, or, where that has begun since, of the one before: sooner, never later.
        const read = parseHttpDate(rfc850, now) ?? second;
        const hasTurned = Math.floor(new Date(now).getUTCFullYear() / 100) !== Math.floor(Number(year) / 100);
        expect(hasTurned ? read <= second : read === second).toBe(true);
      }),
      RUNS,
    );
  });

  it('is never read by throwing', () => {
    fc.assert(
      fc.property(anyLatin1(), (text) => {
        expect(parseHttpDate(text, NOW)).toBeUndefined();
      }),
      RUNS,
    );
  });
});
