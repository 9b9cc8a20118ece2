/**
 * The sequence of evictions of a namespace is one sorted set, so that it is lost whole or not at all, and what was
 * evicted since a position is one range of it. Tags are members (`T…`, or `J…` in JSON) with the place of their last
 * eviction as score, 1 and up. What else there is to know has scores below zero, out of reach of that range, `-x - 1` for `x`:
 *
 *     E<epoch>   n, the number of evictions so far
 *     F          floor: stamps up to here were removed
 *     R<replid>  0; which server's history this is
 *     M<ms>      n as it was at a time of the server's, to know which stamps are old
 *     L<ms>      until when (server's time) an instance counts whose entries live for so long: others with shorter
 *                lives keep its stamps
 *
 * A second key says `epoch:n` alone, for whoever only wants to know whether something happened. It is written with
 * the first and never trusted for more: who has not read the set has to.
 *
 * Sources: https://redis.io/docs/latest/develop/interact/programmability/eval-intro/ and, for the history that a
 * failover may have cut, https://redis.io/docs/latest/operate/oss_and_stack/management/replication/
 *
 * The last of ARGV says whether the server had not seen the script (`RedisScript`). Where the user may not run INFO, that
 * is all there is to tell a restart by: the cache of scripts ends with the server, what it saved does not.
 */
const STATE = `
local stamps, pos = KEYS[1], KEYS[2]
local unseen = table.remove(ARGV) == '1'
local fresh, life = ARGV[1], tonumber(ARGV[2])

local function text(number) return string.format('%.0f', number) end

local function replid()
  local info = redis.pcall('INFO', 'replication')
  if type(info) ~= 'string' then return nil end
  return string.match(info, 'master_replid:(%w+)')
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local epoch, n, floor, history = nil, 0, 0, nil
local heads, marks, lives = 0, {}, {}
-- An error, of another type than a sorted set, has no length.
local state = redis.pcall('ZRANGEBYSCORE', stamps, '-inf', '-1', 'WITHSCORES')
for i = 1, #state, 2 do
  local kind, name, value = string.sub(state[i], 1, 1), string.sub(state[i], 2), -tonumber(state[i + 1]) - 1
  if kind == 'E' then epoch, n, heads = name, value, heads + 1
  elseif kind == 'R' then history, heads = name, heads + 1
  elseif state[i] == 'F' then floor, heads = value, heads + 1
  elseif kind == 'M' and tonumber(name) then marks[#marks + 1] = { at = tonumber(name), n = value, member = state[i] }
  elseif kind == 'L' and tonumber(name) then lives[#lives + 1] = { life = tonumber(name), till = value, member = state[i] } end
end

local function put(member, value) redis.call('ZADD', stamps, text(-value - 1), member) end

local function begin(server)
  redis.call('DEL', stamps)
  epoch, n, floor, marks, lives = fresh, 0, 0, {}, {}
  put('E' .. epoch, 0)
  put('F', 0)
  put('R' .. server, 0)
end

-- Says again how long entries of the asker live while others are to count with it, and learns how long others' do.
-- No entry lives for years: such a life was written by somebody else.
local function agree()
  local own, due = life, true
  for _, each in ipairs(lives) do
    if each.till <= now or each.life < own or each.life > 63072000000 then redis.call('ZREM', stamps, each.member)
    else
      life = math.max(life, each.life)
      if each.till - now >= own then due = false end
    end
  end
  if due then put('L' .. text(own), now + own * 2) end
end

-- Both keys end some time after the last entry has. Nothing is written where nothing changed: this runs often.
local function record()
  local now = epoch .. ':' .. text(n)
  if redis.pcall('GET', pos) ~= now or redis.call('PTTL', pos) < life then
    redis.call('SET', pos, now, 'PX', text(life * 2))
  end
  if redis.call('PTTL', stamps) < life then redis.call('PEXPIRE', stamps, text(life * 2)) end
end
`;

/**
 * A sequence that is not whole, of another server's history, or behind what the asker has seen of it was lost or rolled
 * back: a new epoch.
 */
const CHECK = `
local server, known = replid(), tonumber(ARGV[4])
local function whole(number) return number >= 0 and number <= 9007199254740991 and number == math.floor(number) end
local sound = heads == 3 and epoch ~= nil and #epoch <= 64 and string.match(epoch, '^[%w_-]+$') ~= nil
  and whole(n) and whole(floor) and floor <= n
local another = unseen
if server then another = history ~= server end
if not sound or another or (epoch == ARGV[3] and known > n) then begin(server or '') end
agree()
`;

/**
 * What happened since a position.
 *
 * ARGV: fresh epoch, life, the epoch and the n that are known, the most stamps to answer with, and 'write' where
 * something must be written, as what follows waits for its replication.
 */
export const SYNC_SCRIPT = `${STATE}${CHECK}
local limit = tonumber(ARGV[5])
if ARGV[3] ~= epoch then known = 0 end
record()
if ARGV[6] == 'write' then redis.call('PEXPIRE', stamps, text(life * 2)) end
local changed = redis.call('ZREVRANGEBYSCORE', stamps, '+inf', '(' .. text(known), 'WITHSCORES', 'LIMIT', 0, limit)
if #changed >= limit * 2 then floor = math.max(floor, tonumber(changed[#changed])) end
table.insert(changed, text(floor))
table.insert(changed, text(n))
table.insert(changed, epoch)
table.insert(changed, server and '1' or '0')
return changed
`;

/**
 * The next eviction: one step for whoever watches.
 *
 * ARGV: fresh epoch, life, the epoch and the n that are known, the most tags to keep, channel, message, members. A
 * message of '' says: too long, ask.
 */
export const EVICT_SCRIPT = `${STATE}${CHECK}
n = n + 1
for i = 8, #ARGV do redis.call('ZADD', stamps, text(n), ARGV[i]) end
put('E' .. epoch, n)

local excess = redis.call('ZCARD', stamps) - tonumber(ARGV[5])
if excess > 0 then
  local last = redis.call('ZRANGEBYSCORE', stamps, 1, '+inf', 'WITHSCORES', 'LIMIT', excess - 1, 1)
  if last[2] then floor = math.max(floor, tonumber(last[2])) end
end

local newest = 0
for _, mark in ipairs(marks) do newest = math.max(newest, mark.at) end
-- A clock that was set back would keep the newest mark ahead for as long: then the next one is due as well.
if now - newest >= life / 64 or now < newest then
  put('M' .. text(now), n)
  for _, mark in ipairs(marks) do
    if now - mark.at > life or mark.at > now then
      if mark.at <= now then floor = math.max(floor, mark.n) end
      redis.call('ZREM', stamps, mark.member)
    end
  end
end
floor = math.min(floor, n)
if floor > 0 then
  redis.call('ZREMRANGEBYSCORE', stamps, 1, text(floor))
  put('F', floor)
end

record()
-- The eviction is done: that its asker may not tell others is no failure.
local told = redis.pcall('PUBLISH', ARGV[6], epoch .. ' ' .. text(n) .. ' ' .. ARGV[7])
return { epoch, text(n), server and '1' or '0', type(told) == 'table' and told.err or '' }
`;

/**
 * Gives a lease back, or leaves a word in its place, which may be the token again; only whoever holds it can. ARGV: token,
 * word, its life.
 */
export const RELEASE_SCRIPT = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
`;

/** KEYS: the value. ARGV: what is there, what is to be there, its life in milliseconds. */
export const SWAP_SCRIPT = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
`;

/**
 * KEYS: the value. ARGV: what to add, and the life of a value that begins with it, in milliseconds. Text, as a number
 * of Lua's has 53 bits, and 'large' where one with more would come of it; nothing where something else than a whole
 * number is there.
 */
export const COUNT_SCRIPT = `
local value = redis.call('GET', KEYS[1])
if value and not string.match(value, '^-?%d+$') then return false end
if math.abs(tonumber(value or '0') + tonumber(ARGV[1])) > 9007199254740991 then return 'large' end
redis.call('INCRBY', KEYS[1], ARGV[1])
if not value then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return redis.call('GET', KEYS[1])
`;
