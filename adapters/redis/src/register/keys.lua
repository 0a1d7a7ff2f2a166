-- What the register's scripts share: who has a run, and how it is shown. Every key begins with KEYS[1], `gm:{register}` where the
-- namespace is `gm`, so that all of them lie on one node of a cluster.
--
--   count               numbers what is put into an order
--   run:ID              a hash: name, order, submitted; holder, until, lease; report, reported; ending, reason, ended
--   spec:ID             what it was started with; expires once it has ended
--   runs, active, ended sorted sets of ids: all and those that go on by order, those that ended by when
--   request:KEY         the run that a submitter's key entered; expires
--   worker:NAME         a hash: report, since, beat
--   names, beats        sorted sets of workers: by name, by the end of their last beat
--   drain:NAME          there is one for a worker that shall take nothing more; expires
--   drains              a sorted set of the names of those, by name; some of them may have expired
--   grave:NUMBER        a dead letter: stage, run, reason, envelope, buried, retried, digest
--   graves, digests     a sorted set of their numbers, a hash of number by digest
--   graves:count, graves:bytes

-- Lets a script go on that replaces what is there, in a Redis whose memory is full: a deletion is a write that needs no room, and Redis does
-- not stop a script that has written. Runs keep their coordinators and say what is wrong with them.
local function without_room()
  redis.call('DEL', key('nothing'))
end

-- Whether somebody has a run's lease now.
local function holds(holder, run, now)
  local lease = redis.call('HMGET', run, 'holder', 'until')
  return lease[1] == holder and tonumber(lease[2]) > now
end

-- A run as it is shown, with its place in the order last.
local function shown(id, now)
  local run = redis.call('HMGET', key('run:' .. id), 'name', 'submitted', 'ended', 'ending', 'reason', 'holder', 'until',
    'report', 'reported', 'order')
  local held = run[6] and tonumber(run[7]) > now
  return {id, run[1], run[2], run[3], run[4], run[5], held and run[6], run[8] or '', run[9] or '0', run[10]}
end
