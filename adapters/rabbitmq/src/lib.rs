//! RabbitMQ: the queues of a cluster.
