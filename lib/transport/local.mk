# Transports, register access, the mailbox, loading the model, applying a plan.
libiov_core_la_SOURCES +=
