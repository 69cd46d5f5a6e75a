"""Jobs on workers that are always there, by simpy: ``simpy_fleet.py COUNT WORKERS HOURS``; prints its CPU seconds."""

import json
import random
import sys
import time

import simpy


def job(env, workers, due, work):
    """Wait for a worker, the most urgent first, and work."""
    with workers.request(priority=due) as mine:
        yield mine
        yield env.timeout(work)


def arrivals(env, workers, jobs):
    """Start each job when it comes."""
    for cycle, work in jobs:
        if 60.0 * cycle > env.now:
            yield env.timeout(60.0 * cycle - env.now)
        env.process(job(env, workers, 60.0 * cycle + 3600.0, work))


def main(count, workers, hours):
    """Simulate it."""
    draws = random.Random(1)
    mean = 0.85 * hours * 3600 * workers / count
    cycles = sorted(draws.randrange(hours * 60) for _ in range(count))
    jobs = [(cycle, draws.gammavariate(2.0, mean / 2.0)) for cycle in cycles]
    start = time.process_time()
    env = simpy.Environment()
    env.process(arrivals(env, simpy.PriorityResource(env, workers), jobs))
    env.run()
    print(json.dumps({"simulate": time.process_time() - start}))


if __name__ == "__main__":
    main(*(int(each) for each in sys.argv[1:4]))
