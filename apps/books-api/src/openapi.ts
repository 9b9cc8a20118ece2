import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';

/** The OpenAPI page at /docs and the document at /docs-json. */
export function serveOpenApi(app: INestApplication): void {
  const about = new DocumentBuilder()
    .setTitle('Books API')
    .setDescription('The living documentation of nestjs-caching. Watch X-Cache and Cache-Status.')
    .setVersion('1.0')
    .build();
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, about), {
    // Otherwise Swagger UI sends the document's address to a validator on the Internet.
    swaggerOptions: { validatorUrl: 'none' },
  });
}
