import { describe, expect, it, vi, onTestFinished } from 'vitest';
import { systemClock } from '../../libs/caching/src/cache/clock.js';
import { FakeClock } from '../../libs/caching/src/testing.js';

describe('FakeClock', () => {
  it('runs what is due, in order, and nothing that was cancelled before', () => {
    const clock = new FakeClock();
    const ran: string[] = [];
    clock.after(20, () => ran.push('second'));
    clock.after(10, () => ran.push('first'));
    clock.after(30, () => ran.push('later'));
    clock.after(15, () => ran.push('cancelled'))();
    clock.advance(20);
    expect(ran).toEqual(['first', 'second']);
    expect(clock.pending).toBe(1);
  });

  it('runs nothing that was cancelled by what ran in the same step', () => {
    const clock = new FakeClock();
    const ran: string[] = [];
    clock.after(10, () => {
      ran.push('answer');
      cancelDeadline();
    });
    const cancelDeadline = clock.after(20, () => ran.push('deadline'));
    clock.advance(60_000);
    expect(ran).toEqual(['answer']);
    expect(clock.pending).toBe(0);
  });
});

describe('the clock of the system', () => {
  it('does not take a wait of months for none', () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const ran = vi.fn<() => void>();
    const cancel = systemClock.after(30 * 24 * 60 * 60 * 1_000, ran);
    vi.advanceTimersByTime(24 * 24 * 60 * 60 * 1_000);
    expect(ran).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(1);
    cancel();
    expect(vi.getTimerCount()).toBe(0);
  });
});
