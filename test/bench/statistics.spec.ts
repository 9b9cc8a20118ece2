import { describe, expect, it } from 'vitest';
import { median, overProcesses, ratiosOf, spreadOf } from '../../bench/statistics.js';

describe('the figure of several processes', () => {
  it('is the median over processes of the median of the rounds of each', () => {
    // All rounds together would have 4 as their median.
    const processes = [
      [1, 1, 50],
      [4, 4, 4, 4, 4],
      [9, 8, 7],
    ];
    expect(overProcesses(processes)?.median).toBe(4);
    expect(overProcesses([[1, 2, 9], [10, 20, 30, 40], [3]])?.median).toBe(3);
  });

  it('counts a process once, however many rounds it has', () => {
    expect(overProcesses([[10, 10, 10, 10, 10, 10, 10], [1], [2]])?.median).toBe(2);
  });

  it('goes from the lowest to the highest process: a single round is not a process', () => {
    const processes = [
      [0.1, 0.8, 0.9],
      [0.7, 0.7, 5],
      [0.6, 1, 1],
    ];
    expect(overProcesses(processes)).toEqual({ median: 0.8, lowest: 0.7, highest: 1 });
  });

  it('goes from the lowest to the highest round where one process only was measured', () => {
    expect(overProcesses([[3, 1, 2]])).toEqual({ median: 2, lowest: 1, highest: 3 });
  });

  it('is none where nothing was measured, and leaves out processes in which nothing was', () => {
    expect(overProcesses([])).toBeUndefined();
    expect(overProcesses([[], []])).toBeUndefined();
    expect(overProcesses([[], [5, 6, 7]])).toEqual({ median: 6, lowest: 5, highest: 7 });
  });

  it('says in per cent how far processes are from the middle', () => {
    expect(spreadOf({ median: 20, lowest: 18, highest: 24 })).toBe(15);
  });
});

describe('the ratios of two rows', () => {
  it('are made round by round, of processes that stood beside each other', () => {
    const slow = [
      [20, 40],
      [10, 10],
    ];
    const fast = [
      [10, 10],
      [5, 20],
    ];
    expect(ratiosOf(slow, fast)).toEqual([
      [0.5, 0.25],
      [0.5, 2],
    ]);
  });

  it('are none of rounds or processes that only one of them has', () => {
    expect(ratiosOf([[10, 10], [10]], [[20]])).toEqual([[2], []]);
    expect(ratiosOf([[10]], [[20, 30], [40]])).toEqual([[2]]);
  });
});

describe('the median', () => {
  it('is the middle value, or half the way between the two in the middle', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([10, 1, 9, 2])).toBe(5.5);
  });

  it('is no number where there are no values', () => {
    expect(median([])).toBeNaN();
  });
});
