import { BadGatewayException, Injectable, UnprocessableEntityException } from '@nestjs/common';
import { ModelService } from './model-service.js';

/** As src/model-service/statistics.js computes them. */
export interface TextStatistics {
  words: number;
  distinctWords: number;
  sentences: number;
  wordsPerSentence: { mean: number; median: number; longest: number };
  readability: { fleschReadingEase: number; fleschKincaidGrade: number };
  frequentWords: { word: string; count: number }[];
  frequentPairs: { words: string; count: number }[];
  keySentences: string[];
}

const TIMEOUT = 10_000;

@Injectable()
export class ModelClient {
  constructor(private readonly service: ModelService) {}

  async statisticsOf(text: string): Promise<TextStatistics> {
    const response = await this.#ask(text);
    if (response.status === 422) throw new UnprocessableEntityException('There are no words in that text');
    if (!response.ok) throw new BadGatewayException(`The model service answered ${response.status}`);
    return (await response.json()) as TextStatistics;
  }

  async #ask(text: string): Promise<Response> {
    try {
      return await fetch(new URL('/statistics', this.service.url), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ text }),
        signal: AbortSignal.timeout(TIMEOUT),
      });
    } catch (cause) {
      throw new BadGatewayException('The model service does not answer', { cause });
    }
  }
}
