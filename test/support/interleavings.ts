/** One thing that happens at once. */
export type Step = () => void;

/**
 * Runs every order in which the steps of several processes can follow each other, each process keeping its own.
 *
 * @param begin makes the processes anew, for one order
 * @param check is called after each step; it returns what is wrong, if anything
 */
export function runAllOrders(
  begin: () => { readonly processes: readonly (readonly Step[])[]; readonly check: () => string | undefined },
): { readonly orders: number; readonly violations: readonly string[] } {
  const violations: string[] = [];
  let orders = 0;
  const run = (order: readonly number[]): void => {
    const { processes, check } = begin();
    const at = processes.map(() => 0);
    orders++;
    for (const process of order) {
      const steps = processes[process] as readonly Step[];
      (steps[at[process] as number] as Step)();
      at[process] = (at[process] as number) + 1;
      const wrong = check();
      if (wrong !== undefined) {
        violations.push(`${order.join('')}: ${wrong}`);
        return;
      }
    }
  };
  const extend = (order: number[], left: readonly number[]): void => {
    if (left.every((steps) => steps === 0)) {
      run(order);
      return;
    }
    left.forEach((steps, process) => {
      if (steps === 0) return;
      extend([...order, process], left.with(process, steps - 1));
    });
  };
  extend(
    [],
    begin().processes.map((steps) => steps.length),
  );
  return { orders, violations };
}
