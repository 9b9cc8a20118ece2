// The driver of @keyv/sqlite fetches or compiles its binary in an install script, and this workspace runs none. libsql
// is SQLite with its binaries inside of the packages: real files, real locks, real fsync.
const Libsql = require('libsql');

class Database {
  #database;

  constructor(path, callback) {
    try {
      this.#database = new Libsql(path);
    } catch (error) {
      setImmediate(() => callback(error));
      return;
    }
    setImmediate(() => callback(null));
  }

  configure(option, value) {
    if (option !== 'busyTimeout') throw new Error(`not supported here: ${option}`);
    this.#database.pragma(`busy_timeout = ${Number(value)}`);
  }

  /** As sqlite3 has it: parameters one by one or in one array, and a callback. */
  all(sql, ...rest) {
    const callback = rest.pop();
    let rows;
    try {
      const statement = this.#database.prepare(sql);
      rows = statement.reader ? statement.all(...rest.flat()) : (statement.run(...rest.flat()), []);
    } catch (error) {
      setImmediate(() => callback(error));
      return;
    }
    setImmediate(() => callback(null, rows));
  }

  close(callback) {
    this.#database.close();
    setImmediate(() => callback(null));
  }
}

module.exports = { Database };
