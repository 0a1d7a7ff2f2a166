//! Real RabbitMQ and Redis servers on free ports, for tests: started, broken on purpose, and cleaned up.
