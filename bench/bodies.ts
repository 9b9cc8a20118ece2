/** Sizes of the measured bodies, in KB of JSON. */
export const SIZES = [1, 10, 100] as const;
export type Size = (typeof SIZES)[number];

interface Item {
  readonly id: number;
  readonly title: string;
  readonly author: string;
  readonly year: number;
  readonly price: number;
  readonly inStock: boolean;
  readonly tags: readonly string[];
}

export interface Body {
  readonly items: readonly Item[];
  /** Makes the text exactly as long as it is said to be. */
  readonly padding: string;
}

/** A list of records as an API returns it, whose JSON text is exactly `size` KB long. */
export function makeBody(size: Size): Body {
  const items: Item[] = [];
  let room = size * 1024 - JSON.stringify({ items, padding: '' }).length;
  for (;;) {
    const item = makeItem(items.length);
    const length = JSON.stringify(item).length + (items.length > 0 ? 1 : 0);
    if (length > room) return { items, padding: 'x'.repeat(room) };
    items.push(item);
    room -= length;
  }
}

function makeItem(id: number): Item {
  return {
    id,
    title: `The book that stands at place ${id}`,
    author: `Author ${id % 17}`,
    year: 1850 + (id % 150),
    price: 5 + (id % 40) / 4,
    inStock: id % 3 !== 0,
    tags: ['fiction', `shelf-${id % 9}`],
  };
}
