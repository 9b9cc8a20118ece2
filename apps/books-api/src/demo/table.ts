export interface Row {
  what: string;
  request: string;
  status: number;
  milliseconds: number;
  verdict: string;
  /** How often the handler ran since the application started. */
  total: number;
  cacheStatus: string;
  ok: boolean;
}

export function header(): string {
  return columns('', 'What', 'Request', 'Status', 'Time', 'X-Cache', 'Runs', 'Cache-Status');
}

export function row({ what, request, status, milliseconds, verdict, total, cacheStatus, ok }: Row): string {
  const time = `${milliseconds.toFixed(milliseconds < 100 ? 1 : 0)} ms`;
  const details = cacheStatus.replace(/^[^;]*;\s*/, '');
  return columns(ok ? '✓' : '✗', what, request, String(status), time, verdict, String(total), details);
}

function columns(
  mark: string,
  what: string,
  request: string,
  status: string,
  time: string,
  verdict: string,
  runs: string,
  cacheStatus: string,
): string {
  return [
    mark.padEnd(1),
    what.padEnd(46),
    request.padEnd(42),
    status.padEnd(6),
    time.padStart(9),
    verdict.padEnd(7),
    runs.padStart(4),
    cacheStatus,
  ]
    .join('  ')
    .trimEnd();
}
