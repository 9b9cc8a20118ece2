// @ts-check

const DAMPING = 0.85;
const ROUNDS = 30;

/**
 * Statistics of a text: counts, frequencies, readability (Flesch) and the sentences that say most (TextRank).
 *
 * @param {string} text
 */
export function statisticsOf(text) {
  const sentences = text
    .split(/(?<=[.!?…])\s+|\n{2,}/u)
    .map((sentence) => ({ text: sentence.trim(), words: wordsOf(sentence) }))
    .filter(({ words }) => words.length > 0);
  const words = sentences.flatMap((sentence) => sentence.words);
  if (words.length === 0) return undefined;
  const lengths = sentences.map((sentence) => sentence.words.length).toSorted((a, b) => a - b);
  const pairs = sentences.flatMap(({ words: own }) =>
    own.slice(1).map((word, index) => `${own[index]} ${word}`),
  );
  return {
    words: words.length,
    distinctWords: new Set(words).size,
    sentences: sentences.length,
    wordsPerSentence: {
      mean: rounded(words.length / sentences.length),
      median: lengths[Math.floor(lengths.length / 2)],
      longest: lengths.at(-1),
    },
    readability: readability(words, sentences.length),
    frequentWords: mostFrequent(words, 20).map(([word, count]) => ({ word, count })),
    frequentPairs: mostFrequent(pairs, 10).map(([pair, count]) => ({ words: pair, count })),
    keySentences: keySentences(sentences, 3),
  };
}

/** @param {string} text */
function wordsOf(text) {
  return text.toLowerCase().match(/\p{L}+(?:['’-]\p{L}+)*/gu) ?? [];
}

/**
 * @param {readonly string[]} items
 * @param {number} limit
 */
function mostFrequent(items, limit) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return [...counts].toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, limit);
}

/**
 * Flesch, R. (1948) and Kincaid, J. P. (1975), for English.
 *
 * @param {readonly string[]} words
 * @param {number} sentences
 */
function readability(words, sentences) {
  const syllables = words.reduce((sum, word) => sum + syllablesOf(word), 0);
  const perSentence = words.length / sentences;
  const perWord = syllables / words.length;
  return {
    fleschReadingEase: rounded(206.835 - 1.015 * perSentence - 84.6 * perWord),
    fleschKincaidGrade: rounded(0.39 * perSentence + 11.8 * perWord - 15.59),
  };
}

/**
 * Groups of vowels, without a silent e at the end.
 *
 * @param {string} word
 */
function syllablesOf(word) {
  const groups = word
    .normalize('NFKD')
    .replace(/(?<=[^aeiouy])e$/u, '')
    .match(/[aeiouy]+/gu);
  return Math.max(1, groups?.length ?? 0);
}

/**
 * TextRank (Mihalcea and Tarau, 2004): sentences recommend those that they share words with.
 *
 * @param {readonly { text: string, words: string[] }[]} sentences
 * @param {number} limit
 */
function keySentences(sentences, limit) {
  const sets = sentences.map(({ words }) => new Set(words));
  const links = sets.map((own, i) => sets.map((other, j) => (i === j ? 0 : similarity(own, other))));
  const outward = links.map((row) => row.reduce((sum, weight) => sum + weight, 0));
  let ranks = sentences.map(() => 1);
  for (let round = 0; round < ROUNDS; round += 1) {
    ranks = links.map((row) => {
      let received = 0;
      // Links are symmetric, so a row is also what the others give.
      for (const [j, weight] of row.entries()) {
        if (weight > 0) received += (weight / (outward[j] ?? 1)) * (ranks[j] ?? 0);
      }
      return 1 - DAMPING + DAMPING * received;
    });
  }
  return sentences
    .map(({ text }, i) => ({ text, rank: ranks[i] ?? 0 }))
    .toSorted((a, b) => b.rank - a.rank)
    .slice(0, limit)
    .map(({ text }) => text);
}

/**
 * @param {Set<string>} a
 * @param {Set<string>} b
 */
function similarity(a, b) {
  const [small, large] = a.size < b.size ? [a, b] : [b, a];
  let shared = 0;
  for (const word of small) if (large.has(word)) shared += 1;
  // One more than the size, or two sentences of one word each would divide by zero.
  return shared / (Math.log(a.size + 1) + Math.log(b.size + 1));
}

/** @param {number} value */
function rounded(value) {
  return Math.round(value * 100) / 100;
}
