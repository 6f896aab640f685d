"""Past one machine, on tf.data service: its servers, a plan cut where workers take it over, builds by several machines.

Nothing here imports TensorFlow by itself; what runs a server or reads from one is handed it.
"""
