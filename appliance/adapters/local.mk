# appliance/adapters
