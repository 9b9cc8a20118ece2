/** Name (the key in URLs), title, author, year of first publication, language of the original, invented price. */
export type BookRow = readonly [
  name: string,
  title: string,
  author: string,
  year: number,
  language: string,
  price: number,
];
